"""What every test in the workspace shares."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parent
_SANDBOXED = {("tests", "agents"), ("tests", "e2e"), ("tests", "opencode")}


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the engine client and the database drivers need it."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together when `-n` runs them in several processes.

    Those of one file share what is costly to start. Those with sandboxes all stay together: the
    host user ids and control groups that they count on belong to one platform at a time.
    """
    for item in items:
        path = item.path.relative_to(_ROOT)
        group = "sandboxes" if path.parts[:2] in _SANDBOXED else str(path)
        item.add_marker(pytest.mark.xdist_group(group))
