from collections.abc import Iterator
from pathlib import Path

import pytest

from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.settings import GitSettings


@pytest.fixture
def settings() -> GitSettings:
    return GitSettings(max_file_bytes=10_000, max_files_per_commit=50)


@pytest.fixture
def forge(tmp_path: Path, settings: GitSettings) -> Iterator[EmbeddedForge]:
    forge = EmbeddedForge(tmp_path / "git", settings)
    yield forge
    forge.close()


@pytest.fixture
def commits(forge: EmbeddedForge, settings: GitSettings) -> CommitService:
    return CommitService(forge, settings)
