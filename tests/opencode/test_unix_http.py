"""HTTP over a real Unix socket, with the event loop's complaints counted."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from growqr.opencode.unix_http import unix_transport

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def serving(path: Path, handler: Handler) -> AsyncIterator[httpx.AsyncClient]:
    server = await asyncio.start_unix_server(handler, path)
    async with (
        server,
        httpx.AsyncClient(
            transport=unix_transport(path), base_url="http://there", timeout=60
        ) as client,
    ):
        yield client


async def test_a_connection_is_used_again_until_the_server_closes_it(tmp_path: Path) -> None:
    seen: list[asyncio.StreamWriter] = []
    closed = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(4) if b"content-length" in head.lower() else b""
                writer.write(_HEAD + b"%x\r\n.%b\r\n0\r\n\r\n" % (len(body) + 1, body))
                await writer.drain()
        writer.close()
        closed.set()

    async with serving(tmp_path / "s", handler) as client:
        assert (await client.get("/")).text == "."
        assert (await client.post("/", content="four")).text == ".four"
        assert len(seen) == 1
        await closed.wait()
        assert (await client.get("/")).text == "."
        assert len(seen) == 2


async def test_errors_are_those_of_httpx(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"4\r\nfo")
        writer.close()

    async with serving(tmp_path / "silent", silent) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/", timeout=httpx.Timeout(None, read=0.01))
    async with serving(tmp_path / "rude", rude) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")
    async with httpx.AsyncClient(transport=unix_transport(tmp_path / "none")) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://there/")


async def test_a_read_cancelled_as_its_bytes_come_leaves_nothing_in_the_loop(
    tmp_path: Path,
) -> None:
    loop, complaints = asyncio.get_running_loop(), list[dict[str, Any]]()
    reading = asyncio.Event()
    theirs: socket.socket | None = None

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal theirs
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"4\r\nfour\r\n")
        await writer.drain()
        theirs = writer.get_extra_info("socket").dup()
        await reader.read()
        writer.close()

    async with serving(tmp_path / "s", handler) as client:

        async def follow() -> None:
            async with client.stream("GET", "/") as response:
                async for _ in response.aiter_raw():
                    reading.set()

        following = asyncio.create_task(follow())
        await reading.wait()
        assert theirs is not None
        await anyio.wait_all_tasks_blocked()  # `follow` reads on
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        try:
            # What is ready already runs before what the next look at the sockets brings: the
            # read is cancelled after the bytes came and before anybody was told of them.
            theirs.send(b"4\r\nmore\r\n")
            loop.call_soon(following.cancel)
            with pytest.raises(asyncio.CancelledError):
                await following
            await asyncio.sleep(0)
        finally:
            loop.set_exception_handler(before)
            theirs.close()
    assert complaints == []
