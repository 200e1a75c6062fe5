from collections.abc import Iterator

import pytest

from tests.support.engine import running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real engine, shared by all tests; each world has a pool of its own."""
    with running_engine(tmp_path_factory.mktemp("engine")) as endpoint:
        yield endpoint
