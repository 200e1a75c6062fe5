"""Server-sent events through a real server and real sockets."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from growqr.api.services import Services
from tests.api.conftest import Person
from tests.api.fake_engine import FakeClient

pytestmark = pytest.mark.anyio


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task
    listener.close()


@contextlib.asynccontextmanager
async def stream(
    person: Person, address: str, path: str, **headers: str
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Yield the stream's events, once the server has answered."""
    given = {"authorization": person.http.headers["authorization"], **headers}
    async with (
        httpx.AsyncClient(base_url=address, headers=given, timeout=60) as client,
        client.stream("GET", path) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if not line and event:
            yield event
            event = {}
        elif name in ("id", "event"):
            event[name] = value
        elif name == "data":
            event[name] = json.loads(value)


async def take(events: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [await anext(events) for _ in range(count)]


async def test_a_stream_starts_with_what_was_and_goes_on_live(
    ada: Person, address: str, engine: FakeClient
) -> None:
    agent = engine.agents[ada.actor["id"]]
    agent.emit("task.log", {"text": "zwölf 🌱\nlines"})
    async with stream(ada, address, f"/actors/{ada.actor['id']}/events") as events:
        (first,) = await take(events, 1)
        assert first == {"id": "1", "event": "task.log", "data": agent.log[0]}
        agent.emit("task.log", {})
        assert [event["id"] for event in await take(events, 1)] == ["2"]


async def test_last_event_id_wins_over_after(ada: Person, address: str, engine: FakeClient) -> None:
    agent = engine.agents[ada.actor["id"]]
    for _ in range(4):
        agent.emit("task.log", {})
    path = f"/actors/{ada.actor['id']}/events?after=1"
    async with stream(ada, address, path, **{"last-event-id": "3"}) as events:
        assert [event["id"] for event in await take(events, 1)] == ["4"]


async def test_streams_that_the_client_left_are_given_up(
    ada: Person, address: str, services: Services, engine: FakeClient
) -> None:
    path = f"/actors/{ada.actor['id']}/events"
    agent = engine.agents[ada.actor["id"]]
    async with stream(ada, address, path) as one, stream(ada, address, path) as two:
        agent.emit("task.log", {})
        await take(one, 1)
        await take(two, 1)
        assert services.events.subscriptions == engine.subscriptions == 1
    while services.events.subscriptions or engine.subscriptions:
        await asyncio.sleep(0.01)


async def test_many_followers_all_get_everything_in_order(
    ada: Person, address: str, engine: FakeClient
) -> None:
    agent = engine.agents[ada.actor["id"]]
    path = f"/actors/{ada.actor['id']}/events"

    async def follow(ready: asyncio.Semaphore) -> list[str]:
        async with stream(ada, address, path) as events:
            seen = [event["id"] for event in await take(events, 1)]
            ready.release()
            return seen + [event["id"] for event in await take(events, 50)]

    ready = asyncio.Semaphore(0)
    agent.emit("task.log", {})
    async with asyncio.TaskGroup() as group:
        followers = [group.create_task(follow(ready)) for _ in range(20)]
        for _ in followers:
            await ready.acquire()
        for _ in range(50):
            agent.emit("task.log", {})
    assert {tuple(follower.result()) for follower in followers} == {
        tuple(str(number) for number in range(1, 52))
    }
    assert engine.subscriptions <= 1


async def test_a_server_that_stops_ends_its_streams_whole(
    ada: Person, app: FastAPI, engine: FakeClient
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    engine.agents[ada.actor["id"]].emit("task.log", {})
    async with stream(ada, address, f"/actors/{ada.actor['id']}/events") as events:
        await take(events, 1)
        server.should_exit = True
        assert [event async for event in events] == []  # a broken end would raise
    await running
    listener.close()


async def test_a_session_streams_its_own_events(
    ada: Person, address: str, engine: FakeClient
) -> None:
    workspace = (await ada.http.post("/opencode/provision")).json()["workspace"]
    session = (
        await ada.http.post(f"/opencode/workspaces/{workspace['id']}/sessions", json={})
    ).json()
    path = f"/opencode/sessions/{session['id']}"
    async with stream(ada, address, f"{path}/events") as events:
        await ada.http.post(f"{path}/messages", json={"text": "Write it"})
        (first,) = await take(events, 1)
        assert first["event"] == "task.created"
        assert first["data"]["data"]["text"] == "Write it"
    await ada.http.post(f"{path}/messages", json={"text": "Mend it"})
    resumed = {"last-event-id": first["id"]}
    async with stream(ada, address, f"{path}/events?after=0", **resumed) as events:
        (second,) = await take(events, 1)
        assert second["data"]["data"]["text"] == "Mend it"
