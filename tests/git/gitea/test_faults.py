"""A Gitea that is away, broken, slow, or loses an answer on the way."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from growqr.git.commits import CommitService
from growqr.git.forge import ForgeDown, RepoRef
from growqr.git.gitea import server, transport
from growqr.git.gitea.forge import GiteaForge
from growqr.git.gitea.transport import GiteaTransport
from growqr.git.http import GitHttp
from growqr.git.statuses import CommitStatus
from growqr.settings import GitSettings
from tests.git.conftest import GITEA_TOKEN, GITEA_URL, authenticate, needs_gitea, serving
from tests.git.samples import REPO, git, write

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    accepting = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{accepting.sockets[0].getsockname()[1]}"
    finally:
        accepting.close()
        for task in tuple(tasks):
            task.cancel()
        await accepting.wait_closed()


async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops")
    await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)  # until the other side gives up


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
    await writer.drain()


def forge_at(address: str, folder: Path, token: str = "secret-token") -> GiteaForge:
    settings = GitSettings(provider="gitea", gitea_url=address, gitea_token=SecretStr(token))
    return GiteaForge(folder, settings)


async def locate(repo_id: str) -> RepoRef | None:
    return REPO


@pytest.mark.parametrize("fault", [broken, silent, hanging_up, babbling])
async def test_a_forge_in_trouble_is_a_clear_error_that_may_be_retried(
    fault: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is silent:
        monkeypatch.setattr(server, "ANSWER_SECONDS", 0.2)
        monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.2)
    async with listening(fault) as address:
        forge = forge_at(address, tmp_path)
        service = CommitService(forge, GitSettings())
        for call in (
            lambda: forge.create(REPO),
            lambda: forge.head(REPO),
            lambda: forge.tree(REPO),
            lambda: write(service, {"a": b"1"}, "one"),
            lambda: forge.set_status(REPO, "0" * 40, CommitStatus("x", "success", "")),
        ):
            with pytest.raises(ForgeDown) as caught:
                await call()
            assert caught.value.retryable
            assert "secret-token" not in str(caught.value)
        passing = GiteaTransport(forge.server, locate)
        async with (
            serving(GitHttp(passing, GitSettings(), authenticate)) as gateway,
            httpx.AsyncClient(auth=("grow", "reader"), timeout=60, trust_env=False) as client,
        ):
            asked = f"http://{gateway}/git/rep_1/grow.git/info/refs?service=git-upload-pack"
            if fault is babbling:  # what it says is passed on to git, which tells its user
                assert (await client.get(asked)).text == "<html>"
            else:
                answer = await client.get(asked)
                assert answer.status_code == 503
                assert "secret" not in answer.text
        await passing.aclose()
        forge.close()


async def test_a_forge_that_is_away_is_the_same_error(tmp_path: Path) -> None:
    async with listening(silent) as address:
        pass
    forge = forge_at(address, tmp_path)
    with pytest.raises(ForgeDown):
        await forge.head(REPO)
    forge.close()


class Losing:
    """Passes bytes on to Gitea; while `armed`, cuts the line when a push is answered."""

    def __init__(self) -> None:
        self.armed = False
        target = urlsplit(GITEA_URL)
        self._host, self._port = target.hostname, target.port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        pushing = False

        async def upward() -> None:
            nonlocal pushing
            while data := await reader.read(65536):
                pushing = pushing or b"git-receive-pack HTTP" in data
                back.write(data)
                await back.drain()
            back.write_eof()

        sending = asyncio.ensure_future(upward())
        try:
            while data := await there.read(65536):
                if self.armed and pushing:
                    self.armed = False
                    return
                writer.write(data)
                await writer.drain()
        finally:
            sending.cancel()
            back.close()


@pytest.mark.live
@needs_gitea
async def test_a_commit_whose_answer_was_lost_is_found_by_repeating_it(tmp_path: Path) -> None:
    line = Losing()
    async with listening(line) as address:
        forge = forge_at(address, tmp_path / "copies", GITEA_TOKEN)
        await forge.delete(REPO)
        await forge.create(REPO)
        service = CommitService(forge, GitSettings())
        line.armed = True
        with pytest.raises(ForgeDown):
            await write(service, {"a": b"1"}, "one")
        made = await write(service, {"a": b"1"}, "one")
        assert await forge.head(REPO) == made.sha
        assert len(await forge.commits(REPO)) == 2
        await forge.delete(REPO)
        forge.close()


@pytest.mark.live
@needs_gitea
async def test_a_damaged_copy_is_fetched_again(tmp_path: Path) -> None:
    forge = forge_at(GITEA_URL, tmp_path / "copies", GITEA_TOKEN)
    await forge.delete(REPO)
    await forge.create(REPO)
    service = CommitService(forge, GitSettings())
    made = await write(service, {"a": b"1"}, "one")
    copy = forge.path(REPO.id)
    for path in copy.glob("objects/??/*"):
        path.chmod(0o600)
        os.truncate(path, 0)
    assert await forge.blob(REPO, "a") == b"1"
    assert (await write(service, {"b": b"2"}, "two")).parents == (made.sha,)
    await forge.delete(REPO)
    forge.close()


@pytest.mark.live
@needs_gitea
async def test_a_history_rewritten_on_the_server_keeps_what_it_had(tmp_path: Path) -> None:
    forge = forge_at(GITEA_URL, tmp_path / "copies", GITEA_TOKEN)
    await forge.delete(REPO)
    await forge.create(REPO)
    service = CommitService(forge, GitSettings())
    lost = await write(service, {"a": b"1"}, "one")
    # Somebody throws the repository away and begins it again, with Gitea's own tools.
    await asyncio.to_thread(forge.server.delete_repo, REPO)
    elsewhere = forge_at(GITEA_URL, tmp_path / "elsewhere", GITEA_TOKEN)
    await elsewhere.create(REPO)
    head = await elsewhere.head(REPO)
    elsewhere.close()
    assert await forge.head(REPO) == head != lost.sha
    assert (await forge.commit_info(REPO, lost.sha)).subject == lost.subject
    kept = await git("--git-dir", str(forge.path(REPO.id)), "for-each-ref", "refs/rescue")
    assert lost.sha in kept
    await forge.delete(REPO)
    forge.close()
