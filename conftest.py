"""What every test in the workspace shares."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the engine client and the database drivers need it."""
    return "asyncio"
