"""A thousand followers of one busy channel: how long until each of them has each event.

Starts the whole platform with the offline model. Its followers are plain sockets in a process
of their own, so that they cost the platform nothing but what real ones would. A measured time
is that of one event at one follower, from the moment in which the platform wrote it down.
"""

import asyncio
import json
import multiprocessing
import tempfile
import time
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.report import Result
from growqr.testing import Platform

FOLLOWERS = 1_000
MESSAGES = 30
EVENTS_PER_MESSAGE = 2
"""Those that are measured: the message and its answer."""
_PATIENCE_SECONDS = 120


def run() -> list[Result]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Platform(Path(folder), {"GROWQR_LIMITS__SSE_PER_USER": str(FOLLOWERS + 1)}) as platform,
    ):
        return [_measure(platform.url)]


def _measure(url: str) -> Result:
    with httpx.Client(base_url=url, timeout=30) as client:
        account = {"email": "bench@example.com", "password": "bench-password-1", "name": "Bench"}
        token = client.post("/auth/register", json=account).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        actor = client.post("/actors/provision").raise_for_status().json()["actor"]["id"]
        ours, theirs = multiprocessing.Pipe()
        start = multiprocessing.get_context("spawn")
        crowd = start.Process(target=_crowd, args=(url, token, actor, theirs), daemon=True)
        crowd.start()
        theirs.close()
        try:
            _receive(ours)  # all are connected
            began = time.perf_counter()
            for _ in range(MESSAGES):
                client.post(f"/actors/{actor}/message", json={"text": "hello"}).raise_for_status()
                _receive(ours)  # all have seen the answer
            seconds = time.perf_counter() - began
            times = _receive(ours)
        finally:
            crowd.kill()
            crowd.join()
    assert isinstance(times, list)
    assert len(times) == FOLLOWERS * MESSAGES * EVENTS_PER_MESSAGE, "an event is missing"
    return Result(
        f"an event at each of {FOLLOWERS} followers",
        times,
        budget=250,
        per_second=len(times) / seconds,
        judged=99,
    )


def _receive(pipe: Connection) -> object:
    if not pipe.poll(_PATIENCE_SECONDS):
        raise TimeoutError("the followers do not get what they wait for")
    return pipe.recv()


def _crowd(url: str, token: str, actor: str, out: Connection) -> None:
    asyncio.run(_follow_all(url, token, actor, out))


async def _follow_all(url: str, token: str, actor: str, out: Connection) -> None:
    times: list[float] = []
    arrived: asyncio.Queue[None] = asyncio.Queue()
    streams = [await _open(url, token, actor) for _ in range(FOLLOWERS)]
    reading = [asyncio.create_task(_read(stream, times, arrived)) for stream, _ in streams]
    out.send("connected")
    for _ in range(MESSAGES):
        for _ in range(FOLLOWERS * EVENTS_PER_MESSAGE):
            await arrived.get()
        out.send("seen")
    out.send(times)
    await asyncio.gather(*reading)


async def _open(
    url: str, token: str, actor: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect and read up to the stream's greeting; a writer let go would hang up."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        f"GET /actors/{actor}/events HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    await reader.readuntil(b": connected\n\n")
    return reader, writer


async def _read(
    reader: asyncio.StreamReader, times: list[float], arrived: asyncio.Queue[None]
) -> None:
    while line := await reader.readline():
        if not line.startswith(b"data: "):
            continue
        now = time.time()
        event = json.loads(line.removeprefix(b"data: "))
        # not the agent's greeting, which was there before its followers
        if event["type"] == "message.created" or event["data"].get("in_reply_to"):
            times.append((now - datetime.fromisoformat(event["at"]).timestamp()) * 1000)
            arrived.put_nowait(None)
