"""Calls on an engine that answers late, not at all, or with a refusal."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from growqr.opencode import container, container_engine
from growqr.opencode.container import ContainerRunning
from growqr.opencode.container_engine import ContainerEngine, EngineError
from growqr.opencode.processes import process_end

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
        with pytest.raises(EngineError, match="did not answer"):
            await getattr(calls, call)("id")


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([{"Running": True}, {"Running": True}, {"Running": False, "ExitCode": 7}], 7),
        ([{"Running": True}, None], 255),  # somebody removed it
    ],
)
async def test_an_end_that_no_process_shows_is_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[dict[str, object] | None],
    code: int,
) -> None:
    monkeypatch.setattr(container, "_LOOK_SECONDS", 0)
    gone = answer("404 Not Found", b'{"message": "no such container"}')
    bodies = [
        gone if state is None else answer("200 OK", json.dumps({"State": state}).encode())
        for state in answers
    ]
    async with engine(tmp_path, *bodies) as calls:
        other: Any = SimpleNamespace(control=tmp_path)  # what only a kill uses
        assert await ContainerRunning(calls, "id", 0, other, other, other).wait() == code


async def test_the_end_of_a_process_is_seen_whoever_started_it() -> None:
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-c", "sleep 600 & echo $!; wait"), stdout=asyncio.subprocess.PIPE
    )
    assert shell.stdout is not None
    pid = int(await shell.stdout.readline())
    waiting = asyncio.create_task(process_end(pid))
    await asyncio.sleep(0)
    assert not waiting.done()
    os.kill(pid, signal.SIGKILL)
    await waiting
    await shell.wait()
    await process_end(pid)  # one that is gone is no wait


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
