"""Every test that asks for `forge` runs on each forge; Gitea's half needs a running server:

GROWQR_GIT__GITEA_URL=http://127.0.0.1:3000 GROWQR_GIT__GITEA_TOKEN=… ./grow test tests/git
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from pydantic import SecretStr

from growqr.errors import Unauthenticated
from growqr.git.backend import Backend
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Forge, RepoRef
from growqr.git.gitea.forge import GiteaForge
from growqr.git.gitea.transport import GiteaTransport
from growqr.git.hosting import Hosting
from growqr.git.http import GitHttp
from growqr.git.tokens import Scope
from growqr.settings import GitSettings
from tests.git.samples import REPO, REPOS

GITEA_URL = os.environ.get("GROWQR_GIT__GITEA_URL", "")
GITEA_TOKEN = os.environ.get("GROWQR_GIT__GITEA_TOKEN", "")
needs_gitea = pytest.mark.skipif(
    not (GITEA_URL and GITEA_TOKEN),
    reason="needs a running Gitea: set GROWQR_GIT__GITEA_URL and GROWQR_GIT__GITEA_TOKEN",
)
on_gitea = [pytest.mark.live, needs_gitea]
NewForge = Callable[[], Forge]


@pytest.fixture
def settings() -> GitSettings:
    return GitSettings(max_file_bytes=10_000, max_files_per_commit=50)


@pytest.fixture(params=["embedded", pytest.param("gitea", marks=on_gitea)])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def hosting(provider: str, tmp_path: Path, settings: GitSettings) -> AsyncIterator[Hosting]:
    """A forge without repositories."""
    if provider == "embedded":
        embedded = EmbeddedForge(tmp_path / "git", settings)
        yield Hosting(embedded, Backend(embedded.folder))
        embedded.close()
        return
    gitea = _gitea(tmp_path / "copies", settings)
    transport = GiteaTransport(gitea.server, _locate)
    for repo in REPOS:
        await gitea.delete(repo)
    yield Hosting(gitea, transport)
    for repo in REPOS:
        await gitea.delete(repo)
    await transport.aclose()
    gitea.close()


@pytest.fixture
def forge(hosting: Hosting) -> Forge:
    return hosting.forge


@pytest.fixture
async def another(
    provider: str, hosting: Hosting, tmp_path: Path, settings: GitSettings
) -> AsyncIterator[Forge]:
    """The same repositories, as another process sees them."""
    other = (
        EmbeddedForge(tmp_path / "git", settings)
        if provider == "embedded"
        else _gitea(tmp_path / "other-copies", settings)
    )
    yield other
    other.close()


@pytest.fixture
def commits(forge: Forge, settings: GitSettings) -> CommitService:
    return CommitService(forge, settings)


@pytest.fixture
async def address(hosting: Hosting, forge: Forge, settings: GitSettings) -> AsyncIterator[str]:
    """Where `REPO` is served for clone and push; see `authenticate` and `url`."""
    await forge.create(REPO)
    async with serving(GitHttp(hosting.transport, settings, authenticate)) as address:
        yield address


@asynccontextmanager
async def serving(app: GitHttp) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        running = asyncio.ensure_future(server.serve([listening]))
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


async def authenticate(repo_id: str, token: str) -> Scope | None:
    known: dict[str, Scope] = {"reader": "read", "writer": "write", "strange": "write"}
    if token not in known:
        raise Unauthenticated("no such token")
    return known[token] if repo_id in (REPO.id, "rep_gone") and token != "strange" else None


def url(address: str, token: str = "writer", repo_id: str = REPO.id) -> str:
    return f"http://grow:{token}@{address}/git/{repo_id}/grow.git"


def _gitea(copies: Path, settings: GitSettings) -> GiteaForge:
    changed = {
        "provider": "gitea",
        "gitea_url": GITEA_URL,
        "gitea_token": SecretStr(GITEA_TOKEN),
    }
    return GiteaForge(copies, settings.model_copy(update=changed))


async def _locate(repo_id: str) -> RepoRef | None:
    return RepoRef(repo_id, REPO.owner_id, "grow")
