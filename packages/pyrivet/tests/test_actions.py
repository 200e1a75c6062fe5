"""Calling actors over WebSocket and HTTP, on a real engine."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from pyrivet import (
    ActionError,
    Actor,
    ActorHandle,
    ActorNotFound,
    ActorOptions,
    Client,
    Connection,
    DeadlineExceeded,
    Unreachable,
    action,
)

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class Point(BaseModel):
    x: int
    y: int = 0


class Desk(Actor):
    """Every kind of action."""

    options = ActorOptions(action_timeout=timedelta(seconds=0.5), max_message_bytes=100_000)

    def __init__(self) -> None:
        self.inside = 0
        self.meeting = asyncio.Barrier(8)
        self.params: Mapping[str, Any] = {}

    async def authorize(self, params: Mapping[str, Any]) -> None:
        if params.get("token") == "wrong":
            raise ActionError("unauthorized", "wrong token")

    async def on_connect(self, conn: Connection) -> None:
        if conn.params.get("banned"):
            raise ActionError("banned")
        self.params = conn.params

    @action
    async def identity(self) -> dict[str, Any]:
        return {"name": self.name, "key": self.key, "input": self.input, "gen": self.generation}

    @action
    async def mirror(self, point: Point) -> Point:
        return Point(x=point.y, y=point.x)

    @action
    async def later(self, when: datetime, delta: int = 1) -> datetime:
        return when + timedelta(days=delta)

    @action
    async def echo(self, value: Any) -> Any:
        return value

    @action
    async def long(self, length: int) -> str:
        return "x" * length

    @action
    async def refuse(self) -> None:
        raise ActionError("not_today", "come back tomorrow", {"hours": 24})

    @action
    async def crash(self) -> None:
        raise RuntimeError("secret detail")

    @action
    async def hang(self) -> None:
        await asyncio.Event().wait()

    @action
    async def alone(self) -> int:
        self.inside += 1
        try:
            await asyncio.sleep(0.01)
            return self.inside
        finally:
            self.inside -= 1

    @action(concurrent=True)
    async def together(self) -> None:
        await self.meeting.wait()

    @action
    async def seen_params(self) -> Mapping[str, Any]:
        return self.params

    @action
    async def ask_other(self, key: str) -> Any:
        return await self.client.get_or_create("desk", [key]).call("echo", "from afar")


@pytest.fixture
async def client(stage: Stage) -> Client:
    await stage.work(desk=Desk)
    return await stage.client(conn_params={"token": "right, (with) specials: é"})


@pytest.fixture
def desk(client: Client, key: list[str]) -> ActorHandle:
    return client.get_or_create("desk", [*key, "a/b\\c"], input={"owner": "me"})


async def test_knows_who_it_is(desk: ActorHandle, key: list[str]) -> None:
    identity = await desk.call("identity")
    # A busy machine may have lost the first generation before it was called.
    assert identity.pop("gen") >= 1
    assert identity == {"name": "desk", "key": [*key, "a/b\\c"], "input": {"owner": "me"}}


async def test_arguments_and_results_follow_the_annotations(desk: ActorHandle) -> None:
    assert await desk.call("mirror", {"x": 1, "y": 2}) == {"x": 2, "y": 1}
    assert await desk.call("later", "2026-01-31T12:00:00Z") == "2026-02-01T12:00:00Z"
    assert await desk.call("later", "2026-01-31T12:00:00Z", 2) == "2026-02-02T12:00:00Z"


@pytest.mark.parametrize("value", [None, 1.5, "é\n", ["$BigInt", "7"], {"a": [["$$x", []]]}, []])
async def test_any_json_comes_back_as_it_was(desk: ActorHandle, value: Any) -> None:
    assert await desk.call("echo", value) == value


@pytest.mark.parametrize("args", [["x"], [{"x": "no number"}], [], [{"x": 1}, 2]])
async def test_wrong_arguments_are_refused(desk: ActorHandle, args: list[Any]) -> None:
    with pytest.raises(ActionError) as caught:
        await desk.call("mirror", *args)
    assert caught.value.code == "invalid_input"


async def test_errors_reach_the_caller_with_their_code(desk: ActorHandle) -> None:
    with pytest.raises(ActionError) as caught:
        await desk.call("refuse")
    error = caught.value
    assert (error.code, error.message) == ("not_today", "come back tomorrow")
    assert error.metadata == {"hours": 24}
    with pytest.raises(ActionError) as caught:
        await desk.call("missing")
    assert caught.value.code == "action_not_found"


async def test_unexpected_errors_keep_their_details(
    desk: ActorHandle, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ActionError) as caught:
        await desk.call("crash")
    assert caught.value.code == "internal_error"
    assert "secret" not in str(caught.value)
    assert "secret detail" in caplog.text
    assert await desk.call("echo", 1) == 1


async def test_action_that_takes_too_long_is_cancelled(desk: ActorHandle) -> None:
    with pytest.raises(ActionError) as caught:
        await desk.call("hang")
    assert caught.value.code == "action_timed_out"
    assert await desk.call("echo", 1) == 1


async def test_actions_run_one_at_a_time_unless_concurrent(desk: ActorHandle) -> None:
    assert max(await asyncio.gather(*[desk.call("alone") for _ in range(8)])) == 1
    await asyncio.gather(*[desk.call("together") for _ in range(8)])  # each waits for all


async def test_caller_gives_up_at_its_deadline(desk: ActorHandle) -> None:
    await desk.call("echo", 1)
    with pytest.raises(DeadlineExceeded):
        await desk.call("hang", timeout=timedelta(seconds=0.05))


async def test_unreachable_when_no_worker_has_that_actor(client: Client, key: list[str]) -> None:
    with pytest.raises(Unreachable):
        await client.get_or_create("stranger", key).call("x", timeout=timedelta(seconds=0.3))


async def test_missing_actor_is_not_made_by_get(client: Client, key: list[str]) -> None:
    with pytest.raises(ActorNotFound):
        await client.get("desk", key).call("echo", 1)


async def test_connection_parameters_reach_the_actor(desk: ActorHandle) -> None:
    assert await desk.call("seen_params") == {"token": "right, (with) specials: é"}


async def test_parameters_are_asked_anew_at_each_connection(stage: Stage, key: list[str]) -> None:
    await stage.work(desk=Desk)
    numbers = count(1)
    other = await stage.client(conn_params=lambda: {"number": next(numbers)})
    desk = other.get_or_create("desk", key)
    assert await desk.call("seen_params") == {"number": 1}
    assert await desk.call("seen_params") == {"number": 1}
    await other.aclose()
    assert await desk.call("seen_params") == {"number": 2}


@pytest.mark.parametrize(
    ("params", "code"), [({"token": "wrong"}, "unauthorized"), ({"banned": True}, "banned")]
)
async def test_actor_refuses_a_connection(
    stage: Stage, client: Client, key: list[str], params: dict[str, Any], code: str
) -> None:
    other = await stage.client(conn_params=params)
    with pytest.raises(ActionError) as caught:
        await other.get_or_create("desk", key).call("echo", 1)
    assert caught.value.code == code


async def test_actors_call_each_other(desk: ActorHandle, key: list[str]) -> None:
    assert await desk.call("ask_other", key[0] + "-other") == "from afar"


async def test_messages_that_are_too_big_are_refused(desk: ActorHandle) -> None:
    with pytest.raises(ActionError) as caught:
        await desk.call("echo", "x" * 200_000)
    assert caught.value.code == "message_too_big"
    with pytest.raises(ActionError) as caught:
        await desk.call("long", 5_000_000)
    assert caught.value.code == "output_too_big"
    assert len(await desk.call("long", 1_000_000)) == 1_000_000


@pytest.mark.parametrize("key", [[], [""], ["a,b"]])
async def test_keys_the_engine_cannot_carry_are_refused(client: Client, key: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        client.get_or_create("desk", key)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "answer"),
    [
        ("POST", "/action/echo", {}, b'{"args":[[1,"a"]]}', 200, {"output": [1, "a"]}),
        ("GET", "/health", {}, b"", 200, {"status": "ok"}),
        ("POST", "/action/refuse", {}, b'{"args":[]}', 400, "not_today"),
        ("POST", "/action/nope", {}, b'{"args":[]}', 404, "action_not_found"),
        ("POST", "/action/crash", {}, b'{"args":[]}', 500, "internal_error"),
        ("POST", "/action/echo", {}, b"{", 400, "invalid_message"),
        ("POST", "/action/echo", {"x-rivet-encoding": "bare"}, b"", 400, "invalid_message"),
        ("POST", "/action/echo", {"x-rivet-encoding": "xml"}, b"", 400, "invalid_message"),
        ("GET", "/request/any", {}, b"", 404, "not_found"),
        ("POST", "/queue/any", {}, b'{"body":1}', 404, "queue_not_found"),
        ("POST", "/queue/any", {}, b'{"wait":true}', 400, "invalid_message"),
        ("POST", "/queue/any", {}, b'{"body":1,"timeout":-1}', 400, "invalid_message"),
        ("GET", "/action/echo", {}, b"", 405, "method_not_allowed"),
        ("POST", "/elsewhere", {}, b"", 404, "not_found"),
        ("POST", "/action/echo", {}, b"x" * 200_000, 413, "message_too_big"),
        (
            "POST",
            "/action/echo",
            {"x-rivet-conn-params": '{"token":"wrong"}'},
            b'{"args":[1]}',
            400,
            "unauthorized",
        ),
    ],
)
async def test_http(
    stage: Stage,
    desk: ActorHandle,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    answer: Any,
) -> None:
    await desk.call("echo", 1)
    address = desk.client._gateway.url(desk.place, path)
    async with httpx.AsyncClient(trust_env=False) as http:
        reply = await http.request(method, address, headers=headers, content=body)
    assert reply.status_code == status, reply.text
    assert reply.json() == answer if isinstance(answer, dict) else reply.json()["code"] == answer
