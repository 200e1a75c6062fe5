"""Calls on an engine that answers late, not at all, or with a refusal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from growqr.opencode import container_engine
from growqr.opencode.container_engine import ContainerEngine, EngineError, EngineTimeout

pytestmark = pytest.mark.anyio

SILENCE = b""


@asynccontextmanager
async def engine(folder: Path, *answers: bytes) -> AsyncIterator[ContainerEngine]:
    """Give an engine that answers one call after the other so; the last answer stays."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer == SILENCE:
            await reader.read()  # until the caller gives up
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(handle, folder / "s")
    calls = ContainerEngine(folder / "s")
    try:
        yield calls
    finally:
        await calls.aclose()
        server.close()


def answer(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "call", ["start", "inspect", "attach", "memory_bytes", "labelled", "has_image", "remove"]
)
async def test_no_call_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(container_engine, "_SECONDS", 0.05)
    async with engine(tmp_path, SILENCE) as calls:
        with pytest.raises(EngineTimeout, match="did not answer"):
            await getattr(calls, call)("id")


async def test_a_lost_question_for_the_end_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_engine, "_WAIT_SECONDS", 0.05)
    async with engine(tmp_path, SILENCE, answer("200 OK", b'{"StatusCode": 7}')) as calls:
        assert await calls.wait("id") == 7


@pytest.mark.parametrize("last", ["204 No Content", "404 Not Found"])
async def test_removing_is_tried_again_while_the_container_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr(container_engine, "_AGAIN_SECONDS", 0)
    refused = answer("500 Internal Server Error", b'{"message": "container state improper"}')
    async with engine(tmp_path, refused, refused, answer(last)) as calls:
        await calls.remove("id")


async def test_a_container_that_stays_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_engine, "_REMOVE_SECONDS", 0)
    refused = answer("500 Internal Server Error", b'{"message": "device busy"}')
    async with engine(tmp_path, refused) as calls:
        with pytest.raises(EngineError, match="device busy"):
            await calls.remove("id")


async def test_an_engine_that_hangs_up_is_an_error_and_no_timeout(tmp_path: Path) -> None:
    async with engine(tmp_path, b"nonsense\r\n\r\n") as calls:
        with pytest.raises(EngineError, match="does not answer") as failed:
            await calls.start("id")
    assert failed.value.answer is None
