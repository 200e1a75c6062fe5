"""Calls of backing services, against real servers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from growqr.agents.backing import (
    AnswerTooLarge,
    BackingServices,
    Caller,
    ServiceRefused,
    ServiceUnavailable,
)
from growqr.errors import Forbidden, InvalidInput, NotFound, TooLarge
from growqr.identity.tokens import TokenService
from growqr.settings import BackingService, Settings
from tests.support.stripe_server import serve

pytestmark = pytest.mark.anyio

ADA = Caller("usr_ada", "act_1", frozenset({"service.call:box"}))
Calls = Callable[..., Any]


class Box:
    """A service that notes what it gets and answers as the test says."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.bodies: list[bytes] = []
        self.answers: list[Response] = []
        self.url = ""

    async def handle(self, request: Request) -> Response:
        self.seen.append(request)
        self.bodies.append(await request.body())
        if request.url.path.endswith("/forever"):
            return StreamingResponse(_forever(), media_type="application/json")
        return self.answers.pop(0) if self.answers else JSONResponse({"fine": True})

    @contextmanager
    def running(self) -> Iterator[None]:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", self.handle, methods=methods)])
        with serve(app) as url:
            self.url = url
            yield


async def _forever() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 1000
        await asyncio.sleep(0)


@pytest.fixture
def box() -> Iterator[Box]:
    box = Box()
    with box.running():
        yield box


@pytest.fixture
def tokens(tmp_path: Path) -> TokenService:
    return TokenService.open(tmp_path / "secrets", timedelta(hours=1))


def service(url: str, **more: Any) -> BackingService:
    return BackingService.model_validate(
        {
            "name": "box",
            "url": f"{url}/v1/",
            "operations": [
                {"name": "show", "path": "/things/{thing}"},
                {"name": "add", "method": "POST", "path": "/things"},
                {"name": "put", "method": "PUT", "path": "/things/{thing}"},
                {"name": "drop", "method": "DELETE", "path": "/things/{thing}"},
            ],
            **more,
        }
    )


@pytest.fixture
async def calls(box: Box, tokens: TokenService) -> AsyncIterator[Calls]:
    backing = BackingServices([service(box.url, max_request_bytes=100)], tokens)

    async def call(operation: str, caller: Caller = ADA, **arguments: Any) -> Any:
        return await backing.call(caller, "box", operation, arguments, key="once")

    yield call
    await backing.aclose()


async def test_a_call_is_what_the_settings_say_and_its_token_is_for_it_alone(
    calls: Calls, box: Box, tokens: TokenService
) -> None:
    assert await calls("show", thing="a b/../c", full=True) == {"fine": True}
    assert await calls("put", thing="x", size=3) == {"fine": True}
    first, second = box.seen
    assert first.url.path.encode() == b"/v1/things/a b/../c"  # as one part, see the raw path
    assert first.scope["raw_path"] == b"/v1/things/a%20b%2F..%2Fc"
    assert dict(first.query_params) == {"full": "true"}
    assert (second.method, box.bodies[1]) == ("PUT", b'{"size": 3}')
    assert second.headers["idempotency-key"] == "once"
    keys = KeySet.import_key_set(tokens.keys.published())  # type: ignore[arg-type]
    told = [
        jwt.decode(one.headers["authorization"].removeprefix("Bearer "), keys, ["Ed25519"]).claims
        for one in box.seen
    ]
    assert [one["scope"] for one in told] == ["box:show", "box:put"]
    assert told[0]["jti"] != told[1]["jti"]
    assert {(one["sub"], one["act"]["sub"], one["aud"]) for one in told} == {
        ("usr_ada", "act_1", "box")
    }


@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [
        ("hack", {}, NotFound),
        ("show", {}, InvalidInput),
        ("show", {"thing": ".."}, InvalidInput),
        ("show", {"thing": ""}, InvalidInput),
        ("show", {"thing": ["a"]}, InvalidInput),
        ("show", {"thing": "a", "deep": {"b": 1}}, InvalidInput),
        ("show", {"thing": "a" * 300}, InvalidInput),
        ("show", {"thing": "a", "q": "x" * 200}, TooLarge),
        ("add", {"text": "x" * 200}, TooLarge),
    ],
)
async def test_what_is_out_of_bounds_is_not_sent(
    calls: Calls, box: Box, operation: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await calls(operation, **arguments)
    assert box.seen == []


async def test_an_agent_needs_the_capability(calls: Calls, box: Box) -> None:
    for held in (frozenset[str](), frozenset({"service.call:boxes", "git.commit:**", "*"})):
        with pytest.raises(Forbidden, match=r"service\.call:box"):
            await calls("show", Caller("usr_ada", "act_1", held), thing="x")
    assert box.seen == []
    await calls("show", Caller("usr_ada", "act_1", frozenset({"service.call:*"})), thing="x")


async def test_redirects_errors_and_what_is_not_json_are_refused(calls: Calls, box: Box) -> None:
    other = Box()
    with other.running():
        box.answers = [RedirectResponse(f"{other.url}/things/x")]
        with pytest.raises(ServiceRefused, match="elsewhere"):
            await calls("show", thing="x")
    assert other.seen == []
    box.answers = [
        Response("no such thing", 404),
        Response("<p>hello"),
        Response('"\\ud800"', media_type="application/json"),
        Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        Response(status_code=204),
    ]
    with pytest.raises(ServiceRefused, match="404: no such thing"):
        await calls("show", thing="x")
    for _ in range(3):
        with pytest.raises(ServiceRefused, match="JSON"):
            await calls("show", thing="x")
    assert await calls("drop", thing="x") is None


async def test_only_what_bears_it_is_repeated(calls: Calls, box: Box) -> None:
    box.answers = [Response(status_code=503), Response(status_code=502)]
    assert await calls("put", thing="x") == {"fine": True}
    assert len(box.seen) == 3
    assert len({one.headers["authorization"] for one in box.seen}) == 3
    box.answers = [Response(status_code=503)] * 3
    with pytest.raises(ServiceUnavailable):
        await calls("show", thing="x")
    assert len(box.seen) == 6
    box.answers = [Response(status_code=503)]
    with pytest.raises(ServiceUnavailable, match="may have been done"):
        await calls("add", text="x")
    assert len(box.seen) == 7


async def test_size_and_time_of_an_answer_are_bounded(box: Box, tokens: TokenService) -> None:
    endless = {"operations": [{"name": "read", "path": "/forever", "method": "POST"}]}
    small = BackingServices([service(box.url, **endless, max_response_bytes=10_000)], tokens)
    with pytest.raises(AnswerTooLarge):
        await small.call(ADA, "box", "read", {}, key="k")
    await small.aclose()
    slow = service(box.url, **endless, timeout_seconds=0.2, max_response_bytes=10**12)
    backing = BackingServices([slow], tokens)
    with pytest.raises(ServiceUnavailable, match=r"0\.2 seconds"):
        await backing.call(ADA, "box", "read", {}, key="k")
    await backing.aclose()


async def test_a_service_that_is_not_there_is_tried_and_told(tokens: TokenService) -> None:
    backing = BackingServices([service("http://127.0.0.1:9")], tokens)
    with pytest.raises(ServiceUnavailable, match="can't be reached") as refused:
        await backing.call(ADA, "box", "add", {}, key="k")
    assert "may have been done" not in str(refused.value)
    with pytest.raises(NotFound):
        await backing.call(ADA, "chest", "add", {}, key="k")
    await backing.aclose()


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "growqr"},
        {"audience": "growqr:agents"},
        {"url": "ftp://example.org"},
        {"url": "http://user@example.org"},
        {"operations": []},
        {"operations": [{"name": "x", "path": "/a/../b?c"}]},
        {"operations": [{"name": "x", "path": "/a"}, {"name": "x", "path": "/b"}]},
    ],
)
def test_settings_that_would_leave_the_bounds_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        service(**{"url": "http://127.0.0.1:9", **change})


def test_two_services_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="the same `name`"):
        Settings(services=(service("http://a.test"), service("http://b.test")))
