from collections.abc import Iterator
from pathlib import Path

import pytest

from growqr.testing import Platform


@pytest.fixture(scope="session")
def offline_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform as `./grow up` runs it, shared by tests that each register people anew."""
    with Platform(tmp_path_factory.mktemp("offline")) as platform:
        yield platform


@pytest.fixture
def fresh_folder(tmp_path: Path) -> Path:
    return tmp_path
