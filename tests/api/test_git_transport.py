"""Clone and push through the whole application, with a token from its own route."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from growqr.api.app_factory import create_api
from growqr.api.services import Services
from growqr.git.backend import Backend
from growqr.git.embedded import EmbeddedForge
from growqr.git.http import GitHttp
from tests.api.conftest import Person
from tests.git.samples import git

pytestmark = pytest.mark.anyio


@pytest.fixture
async def address(services: Services, forge: EmbeddedForge) -> AsyncIterator[str]:
    """Where the application listens; `ada` of the tests below uses the same services."""
    git_app = GitHttp(
        Backend(forge.folder), services.settings.git, services.git_tokens.authenticate
    )
    app = create_api(services, git_app=git_app)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        running = asyncio.ensure_future(server.serve([listening]))
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await running


async def clone_url(address: str, person: Person, scope: str) -> str:
    repo_id = person.actor["repo_id"]
    answer = await person.http.post(f"/git/repos/{repo_id}/tokens", json={"scope": scope})
    token = answer.json()
    login = f"{token['username']}:{token['token']}"
    return f"http://{login}@{address}/git/{repo_id}/grow.git"


async def test_a_push_larger_than_a_request_body_becomes_memory(
    address: str, services: Services, ada: Person, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", await clone_url(address, ada, "write"), str(copy))
    (copy / "memory").mkdir()
    (copy / "memory/by-hand.md").write_text("# By hand\n\nAbout walruses.\n")
    size = services.settings.limits.body_bytes * 2
    (copy / "large.bin").write_bytes(os.urandom(size))
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "By hand", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)
    hits = (await ada.http.get("/memory/search?q=walrus")).json()["items"]
    assert [hit["path"] for hit in hits] == ["memory/by-hand.md"]
    history = (await ada.http.get("/memory/history")).json()["items"]
    assert [commit["subject"] for commit in history] == ["By hand", "init(repo): start"]
