"""The client against servers that misbehave: what is inside a sandbox may answer anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from growqr.errors import GrowError
from growqr.opencode import client as client_module
from growqr.opencode.client import OpenCodeClient
from growqr.opencode.types import ProtocolError, SessionMissing, WorkspaceFailed

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(folder: Path, answer: bytes) -> AsyncIterator[OpenCodeClient]:
    """Give a client whose server sends these bytes to every request, then hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(handle, folder / "s")
    client = OpenCodeClient(folder / "s", "password")
    try:
        async with server:
            yield client
    finally:
        await client.aclose()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(b"no json"), ProtocolError),
        (http(b"[" * 100_000), ProtocolError),
        (http(b"[]"), ProtocolError),
        (http(b'{"id": 5}'), ProtocolError),
        (http(b'{"id": "../x"}'), ProtocolError),
        (http(b"{}", "500 Oops"), ProtocolError),
        (http(b"", "302 Found"), ProtocolError),
        (http(b"", "404 Not Found"), SessionMissing),
        (b"gibberish\r\n\r\n", WorkspaceFailed),
        (b"", WorkspaceFailed),
    ],
)
async def test_every_bad_answer_is_an_error_of_ours(
    tmp_path: Path, answer: bytes, error: type[GrowError]
) -> None:
    async with answering(tmp_path, answer) as client:
        with pytest.raises(error):
            await client.create_session("Test")


async def test_an_answer_without_end_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_ANSWER_BYTES", 1000)
    async with answering(tmp_path, http(b"[" + b" " * 5000 + b"]")) as client:
        with pytest.raises(ProtocolError, match="too large"):
            await client.agents()


async def test_bad_events_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_EVENT_BYTES", 100)
    lines = [
        b'data: {"type": "first"}',
        b": comment",
        b"data: not json",
        b"data: [1]",
        b'data: {"type": "' + b"x" * 300_000 + b'"}',
        b'data: {"type": "last"}',
        b"",
    ]
    async with answering(tmp_path, http(b"\n".join(lines))) as client, client.events() as events:
        assert [event["type"] async for event in events] == ["first", "last"]


async def test_a_closed_client_says_so(tmp_path: Path) -> None:
    async with answering(tmp_path, http(b"[]")) as client:
        await client.aclose()
        with pytest.raises(WorkspaceFailed, match="was stopped"):
            await client.agents()
        with pytest.raises(WorkspaceFailed, match="was stopped"):
            async with client.events():
                pass
