"""Sixteen writers while Gitea is killed hard, again and again.

GROWQR_TEST_GITEA_KILL names a command that kills the server at GROWQR_GIT__GITEA_URL with
SIGKILL, starts it again and ends when it answers.
"""

import asyncio
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from growqr.git.commits import CommitService
from growqr.git.forge import ForgeDown
from growqr.git.gitea.forge import GiteaForge
from growqr.settings import GitSettings
from tests.git.conftest import GITEA_TOKEN, GITEA_URL, needs_gitea
from tests.git.samples import REPO, git, write

KILL = os.environ.get("GROWQR_TEST_GITEA_KILL", "")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.live,
    needs_gitea,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not KILL, reason="needs GROWQR_TEST_GITEA_KILL, see there"),
]

WRITERS = 16
EACH = 5
KILLS = (10, 35, 60)
"""After how many commits the server is killed; the other writers are anywhere then."""


async def test_a_killed_server_loses_no_commit_and_makes_none_twice(tmp_path: Path) -> None:
    settings = GitSettings(
        provider="gitea", gitea_url=GITEA_URL, gitea_token=SecretStr(GITEA_TOKEN)
    )
    # Two processes, each with its own copy.
    forges = [GiteaForge(tmp_path / name, settings) for name in ("one", "two")]
    await forges[0].delete(REPO)
    await forges[0].create(REPO)
    made: dict[str, str] = {}
    interrupted = 0

    async def kill() -> None:
        process = await asyncio.create_subprocess_shell(KILL)
        assert await process.wait() == 0

    async def write_some(writer: int) -> None:
        nonlocal interrupted
        service = CommitService(forges[writer % 2], settings)
        for number in range(EACH):
            operation = f"op-{writer}-{number}"
            while operation not in made:
                try:
                    commit = await write(service, {f"{writer}/{number}": b"x"}, operation)
                except ForgeDown:
                    interrupted += 1
                    await asyncio.sleep(0.2)  # as a caller would, that has been told to retry
                    continue
                made[operation] = commit.sha
                if len(made) in KILLS:
                    await kill()

    await asyncio.gather(*(write_some(writer) for writer in range(WRITERS)))
    assert interrupted, "nobody was at work when the server was killed"
    history = {
        commit.trailers["Operation"]: commit.sha
        for commit in await forges[0].commits(REPO, limit=1_000)
        if "Operation" in commit.trailers
    }
    assert history == made
    assert len(await forges[1].commits(REPO, limit=1_000)) == len(made) + 1
    copy = tmp_path / "copy"
    login = f"http.extraHeader=Authorization: {forges[0].server.git_authorization}"
    await git("-c", login, "clone", "--mirror", forges[0].server.git_url(REPO), str(copy))
    assert "error" not in await git("fsck", "--strict", "--no-dangling", cwd=copy)
    for forge in forges:
        checked = await git("fsck", "--strict", "--no-dangling", cwd=forge.path(REPO.id))
        assert "error" not in checked
        await forge.delete(REPO)
        forge.close()
