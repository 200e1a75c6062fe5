"""Handles: by id, over HTTP, typed, plain HTTP; and what a client gets over by itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any, assert_type

import pytest
from pydantic import BaseModel
from pyrivet import (
    ActionError,
    Actor,
    ActorHandle,
    ActorNotFound,
    ActorOptions,
    CallInterrupted,
    Client,
    DeadlineExceeded,
    Engine,
    EventsLost,
    ProtocolError,
    Request,
    Response,
    Unreachable,
    WebSocket,
    Worker,
    action,
    queue,
)
from websockets.exceptions import ConnectionClosed

from .conftest import Stage
from .proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.live]

RECOVERY = timedelta(seconds=40)


class Entry(BaseModel):
    text: str
    day: date


class Scan(BaseModel):
    data: bytes


class Log(Actor):
    """Keeps entries, and can be reached in every way there is."""

    options = ActorOptions(stop_grace=timedelta(seconds=0.1))

    def __init__(self) -> None:
        self.endless = asyncio.Event()

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE entry (text TEXT, day TEXT)")

    @action
    async def add(self, entry: Entry, times: int = 1, loud: bool = False) -> int:
        for _ in range(times):
            row = (entry.text.upper() if loud else entry.text, entry.day.isoformat())
            await self.db.execute("INSERT INTO entry VALUES (?, ?)", *row)
        await self.broadcast("added", entry)
        return len(await self.entries())

    @action
    async def entries(self) -> list[Entry]:
        rows = await self.db.query("SELECT text, day FROM entry ORDER BY rowid")
        return [Entry.model_validate(row) for row in rows]

    @action
    async def digest(self, scan: Scan) -> dict[str, Any]:
        return {"size": len(scan.data), "reversed": scan.data[::-1], "pair": ["$Set", 1]}

    @action
    async def listeners(self) -> int:
        return len(self.connections)

    @action
    async def refuse(self) -> None:
        raise ActionError("full", "no room", {"limit": 3})

    @action(concurrent=True)
    async def hang(self) -> None:
        await self.endless.wait()

    @queue("entries")
    async def take(self, entry: Entry) -> int:
        return await self.add(entry)

    @action(concurrent=True)
    async def go_on(self) -> None:
        self.endless.set()

    async def _lines(self) -> AsyncIterator[str]:
        yield "first\n"
        await self.endless.wait()
        yield "second\n"

    async def on_websocket(self, socket: WebSocket) -> None:
        await socket.send(f"{socket.path} {socket.query} {socket.params}")
        async for message in socket:
            await socket.send(message)

    async def on_request(self, request: Request) -> Response:
        if request.path == "/lines":
            return Response(self._lines())
        text = f"{request.method} {request.path} {request.query} {(await request.body()).decode()}"
        return Response(text, 503 if request.path == "/busy" else 201, {"x-kind": "raw"})


class Newer(Actor):
    """What a client of another version takes the actor for."""

    @action
    async def listeners(self) -> list[str]:
        raise NotImplementedError


ENTRY = Entry(text="first", day=date(2026, 3, 1))
PLAIN = {"text": "first", "day": "2026-03-01"}


@pytest.fixture
async def log(stage: Stage, key: list[str]) -> ActorHandle:
    await stage.work(log=Log)
    return (await stage.client()).get_or_create("log", key)


async def test_typed_actions_take_and_give_what_the_method_says(log: ActorHandle) -> None:
    add, entries = log.action(Log.add), log.action(Log.entries)
    assert assert_type(await add(ENTRY), int) == 1
    assert await add(entry=ENTRY, loud=True) == 2
    assert assert_type(await entries(), list[Entry]) == [ENTRY, Entry(text="FIRST", day=ENTRY.day)]
    with pytest.raises(TypeError):
        await add(ENTRY, 1, False, 7)  # type: ignore[call-arg]
    with pytest.raises(ActionError, match="invalid_input"):
        await add("no entry")  # type: ignore[arg-type]
    with pytest.raises(ProtocolError, match="listeners answered with another type"):
        await log.action(Newer.listeners)()
    with pytest.raises(TypeError, match="not marked as an action"):
        log.action(Log.on_sleep)


async def test_bytes_travel_as_they_are(log: ActorHandle) -> None:
    digest = {"size": 3, "reversed": b"\xff\x00\x01", "pair": ["$Set", 1]}
    assert await log.action(Log.digest)(Scan(data=b"\x01\x00\xff")) == digest
    assert await log.call("digest", {"data": b"\x01\x00\xff"}, over_http=True) == digest


async def test_by_id(stage: Stage, log: ActorHandle) -> None:
    actor_id = await log.resolve()
    same = (await stage.client()).get_for_id(actor_id)
    assert await log.action(Log.add)(ENTRY) == 1
    assert await same.action(Log.add)(ENTRY) == 2
    assert await same.action(Log.add, over_http=True)(ENTRY) == 3
    assert await same.send("entries", ENTRY, wait=True) == 4
    assert (await same.fetch("x?a=1")).text == "GET /x a=1 "
    await same.destroy()
    for over_http in (False, True):
        with pytest.raises(ActorNotFound):
            await same.call("entries", over_http=over_http)


async def test_over_http(stage: Stage, log: ActorHandle, key: list[str]) -> None:
    assert await log.action(Log.add, over_http=True)(ENTRY) == 1
    assert await log.call("listeners", over_http=True) == 0
    with pytest.raises(ActionError) as caught:
        await log.call("refuse", over_http=True)
    error = caught.value
    assert (error.code, error.message, error.metadata) == ("full", "no room", {"limit": 3})
    with pytest.raises(DeadlineExceeded) as late:
        await log.call("hang", over_http=True, timeout=timedelta(seconds=0.2))
    assert not isinstance(late.value, Unreachable)
    client = await stage.client()
    with pytest.raises(ActorNotFound):
        await client.get("log", [*key, "nobody"]).call("entries", over_http=True)
    nowhere = Client("http://127.0.0.1:9").get("log", key)
    with pytest.raises(Unreachable):
        await nowhere.call("entries", over_http=True, timeout=timedelta(seconds=0.2))


async def test_first_calls_that_come_at_once_all_find_the_same_actor(
    stage: Stage, key: list[str]
) -> None:
    await stage.work(log=Log)
    clients = [await stage.client() for _ in range(24)]
    for number in range(5):
        logs = [client.get_or_create("log", [*key, str(number)]) for client in clients]
        calls = [
            log.action(Log.add, over_http=position % 2 == 0)(ENTRY)
            for position, log in enumerate(logs)
        ]
        assert sorted(await asyncio.gather(*calls)) == list(range(1, 25))


async def test_plain_http_gives_the_actors_own_answer(log: ActorHandle, key: list[str]) -> None:
    response = await log.fetch("/a/b?name=world&x=", method="PUT", body="payload")
    assert (response.status_code, response.headers["x-kind"]) == (201, "raw")
    assert response.text == "PUT /a/b name=world&x= payload"
    assert (await log.fetch("busy")).status_code == 503
    with pytest.raises(ActorNotFound):
        await log.client.get("log", [*key, "nobody"]).fetch("/")


async def test_answer_is_read_while_it_comes(log: ActorHandle) -> None:
    async with log.stream("lines") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "first"
        await log.call("go_on")
        assert [line async for line in lines] == ["second"]


async def test_answer_that_breaks_off_says_so(
    stage: Stage, log: ActorHandle, key: list[str]
) -> None:
    async with Proxy(stage.endpoint).serve() as proxy:
        stage.endpoint = proxy.endpoint
        through = (await stage.client()).get_or_create("log", key)
        with pytest.raises(CallInterrupted):
            await read_and_cut(through, proxy)


async def read_and_cut(log: ActorHandle, proxy: Proxy) -> None:
    async with log.stream("lines") as response:
        async for _ in response.aiter_lines():
            proxy.cut()


async def test_plain_websocket(stage: Stage, log: ActorHandle, key: list[str]) -> None:
    async with Proxy(stage.endpoint).serve() as proxy:
        stage.endpoint, proxy.refusals = proxy.endpoint, 1
        client = await stage.client(conn_params={"who": "Ann"})
        async with client.get_or_create("log", key).websocket("/chat?room=1") as socket:
            assert proxy.refusals == 0
            assert await socket.recv() == "/chat room=1 {'who': 'Ann'}"
            await socket.send(b"\x00\xff")
            assert await socket.recv() == b"\x00\xff"
    async with log.client.get("log", [*key, "nobody"]).websocket("/chat") as socket:
        with pytest.raises(ConnectionClosed, match=r"actor\.not_found"):
            await socket.recv()
    nowhere = Client("http://127.0.0.1:9").get("log", key)
    with pytest.raises(Unreachable):
        async with nowhere.websocket("/chat", timeout=timedelta(seconds=0.2)):
            pass


WAYS: dict[str, Callable[[ActorHandle], Awaitable[Any]]] = {
    "connection": lambda log: log.call("add", ENTRY, timeout=RECOVERY),
    "http": lambda log: log.call("add", ENTRY, timeout=RECOVERY, over_http=True),
    "queue": lambda log: log.send("entries", ENTRY, wait=True, timeout=RECOVERY),
}


@pytest.mark.parametrize("way", WAYS)
async def test_gets_over_a_503(stage: Stage, log: ActorHandle, key: list[str], way: str) -> None:
    async with Proxy(stage.endpoint).serve() as proxy:
        stage.endpoint = proxy.endpoint
        through = (await stage.client()).get_or_create("log", key)
        for expected in (1, 2):
            proxy.refusals = 1
            assert await WAYS[way](through) == expected
            assert proxy.refusals == 0
            await through.client.aclose()  # what it has kept open
    assert await log.call("entries") == [PLAIN] * 2


async def test_gets_over_a_worker_that_was_restarted(stage: Stage, key: list[str]) -> None:
    log = (await stage.client()).get_or_create("log", key)
    expected = 0
    async with AsyncExitStack() as subscribed:
        for _ in range(2):
            async with Worker(stage.endpoint, {"log": Log}, pool=stage.pool, token=stage.token):
                if not expected:
                    added = await subscribed.enter_async_context(log.subscribe("added"))
                for way in WAYS.values():
                    expected += 1
                    assert await way(log) == expected
        for _ in WAYS:
            assert await anext(added) == [PLAIN]
        with pytest.raises(EventsLost):
            await anext(added)
        assert await anext(added) == [PLAIN]


async def test_gets_over_an_engine_that_was_restarted(
    engine_binary: Path, tmp_path: Path, key: list[str]
) -> None:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(engine_binary, tmp_path))
        stage = Stage(engine.endpoint, engine.token, stack)
        await stage.work(log=Log)
        log = (await stage.client()).get_or_create("log", key)
        for number, way in enumerate(WAYS.values(), 1):
            assert await way(log) == number
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        while not engine.restarts:
            await asyncio.sleep(0.02)
        for number, way in enumerate(WAYS.values(), len(WAYS) + 1):
            assert await way(log) == number
