"""Plain WebSockets to an actor."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from pyrivet import ActionError, Actor, ActorOptions, ClientGone, WebSocket, Worker, action
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from .conftest import Stage, gateway_url

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class Echo(Actor):
    """Says back what it hears, and what the path asks for."""

    options = ActorOptions(max_message_bytes=100_000, sleep_after=timedelta(milliseconds=100))

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.reading = asyncio.Event()

    async def authorize(self, params: Mapping[str, Any]) -> None:
        if params.get("who") == "nobody":
            raise ActionError("forbidden")

    async def on_websocket(self, socket: WebSocket) -> None:
        try:
            match socket.path:
                case "/about":
                    await socket.send(f"{socket.query} {socket.params} {socket.headers['host']}")
                case "/end":
                    await socket.send("bye")
                    socket.close(4001, "enough")
                case "/fail":
                    raise RuntimeError("secret")
                case "/late":
                    await self.reading.wait()
            async for message in socket:
                await socket.send(message)
            with pytest.raises(ClientGone):
                await socket.receive()
            with pytest.raises(ClientGone):
                await socket.send("after the end")
        finally:
            self.left.set()

    @action
    async def generation_now(self) -> int:
        return self.generation


@pytest.fixture
async def echo(stage: Stage) -> Echo:
    """Return the first instance there will be."""
    first = Echo()
    made = iter([first])
    await stage.work(echo=lambda: next(made, Echo()), other=Actor)
    return first


@asynccontextmanager
async def dial(
    stage: Stage, key: list[str], path: str, *protocols: str, name: str = "echo"
) -> AsyncIterator[ClientConnection]:
    url = gateway_url(stage, name, key, f"/websocket{path}").replace("http", "ws", 1)
    offered = [Subprotocol(protocol) for protocol in ("rivet", *protocols)]
    async with connect(url, subprotocols=offered, proxy=None) as socket:
        yield socket


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Read until the socket ends; returns why."""
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    await socket.wait_closed()
    return socket.close_code or 0, (socket.close_reason or "").partition("#")[0]


async def test_text_and_bytes_go_both_ways(stage: Stage, echo: Echo, key: list[str]) -> None:
    async with dial(stage, key, "/any") as socket:
        for message in ("text é", b"\x00bytes", "", b""):
            await socket.send(message)
            assert await socket.recv() == message
    await echo.left.wait()


async def test_the_request_is_known(stage: Stage, echo: Echo, key: list[str]) -> None:
    params = "rivet_conn_params.%7B%22who%22%3A%22me%22%7D"
    url_query = "/about"
    async with dial(stage, key, url_query, params) as socket:
        query, rest = str(await socket.recv()).split(" ", 1)
        assert query == ""
        assert rest.startswith("{'who': 'me'} 127.0.0.1:")


async def test_refused_and_failing_sockets_close_with_a_reason(
    stage: Stage, echo: Echo, key: list[str]
) -> None:
    async with dial(stage, key, "/end") as socket:
        assert await socket.recv() == "bye"
        assert await closing(socket) == (4001, "enough")
    async with dial(stage, key, "/fail") as socket:
        assert await closing(socket) == (1011, "actor.internal_error")
    nobody = "rivet_conn_params.%7B%22who%22%3A%22nobody%22%7D"
    async with dial(stage, key, "/any", nobody) as socket:
        assert await closing(socket) == (1008, "user.forbidden")
    async with dial(stage, key, "/any", name="other") as socket:
        assert await closing(socket) == (1008, "actor.not_found")


async def test_client_that_sends_too_much_is_dropped(
    stage: Stage, echo: Echo, key: list[str]
) -> None:
    async with dial(stage, key, "/any") as socket:
        await socket.send("x" * 100_001)
        assert await closing(socket) == (1009, "message too big")
    async with dial(stage, key, "/late") as socket:
        for _ in range(3):
            await socket.send("x" * 50_000)
        assert await closing(socket) == (1008, "too fast")
    echo.reading.set()


async def test_socket_keeps_the_actor_awake_until_it_ends(
    stage: Stage, echo: Echo, key: list[str]
) -> None:
    client = await stage.client(idle=timedelta(0))
    actor = client.get_or_create("echo", key)
    async with dial(stage, key, "/any") as socket:
        await socket.send("hello")
        await socket.recv()
        await asyncio.sleep(0.5)  # five times the idle time: nothing to wait for must happen
        assert await actor.call("generation_now") == 1
    await echo.left.wait()
    while await actor.call("generation_now") == 1:
        await asyncio.sleep(0.5)


async def test_sockets_end_when_the_worker_leaves(stage: Stage, key: list[str]) -> None:
    echo = Echo()
    worker = Worker(stage.endpoint, {"echo": lambda: echo}, pool=stage.pool, token=stage.token)
    await worker.__aenter__()
    async with dial(stage, key, "/any") as socket:
        await socket.send("hello")
        await socket.recv()
        leaving = asyncio.create_task(worker.__aexit__(None, None, None))
        assert await closing(socket) == (1012, "the actor stops")
        await leaving
    assert echo.left.is_set()
