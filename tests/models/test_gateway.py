"""The gateway between real sockets: a client inside, a provider outside."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from growqr.billing.entitlement import Entitlements
from growqr.billing.usage import today
from growqr.db.engine import Database
from growqr.db.tables import Subscription, User
from growqr.models.gateway import ModelGateway
from growqr.models.running_time import RunningTime
from growqr.settings import BillingSettings, ModelSettings, Plan
from tests.support import wires
from tests.support.wires import WIRES

pytestmark = pytest.mark.anyio

Handler = Callable[[Request], Awaitable[Response]]
CHAT = {"model": "m1", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def provider(handler: Handler) -> AsyncIterator[str]:
    """Serve `handler` on a free port; gives the address."""
    app = Starlette(routes=[Route("/{path:path}", handler, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await serving


def token_of(gateway: ModelGateway, workspace_id: str) -> str:
    [settings] = gateway.opencode_config(workspace_id)["provider"].values()
    return str(settings["options"]["apiKey"])


def keys(token: str) -> dict[str, str]:
    """Return the token where each of the providers' libraries puts a key."""
    bearer = f"Bearer {token}"
    return {"authorization": bearer, "x-api-key": token, "x-goog-api-key": token}


@asynccontextmanager
async def inside(settings: ModelSettings) -> AsyncIterator[tuple[httpx.AsyncClient, ModelGateway]]:
    """Give a client that speaks through the socket of workspace `w1`."""
    gateway = ModelGateway(settings)
    path = await gateway.open("w1")
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    headers = keys(token_of(gateway, "w1"))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers
        ) as client:
            yield client, gateway
    finally:
        await gateway.aclose()
        assert not path.exists()


def compatible(base_url: str) -> ModelSettings:
    return ModelSettings(
        provider="openai-compatible", name="m1", base_url=base_url, api_key=SecretStr("real-key")
    )


async def test_adds_the_key_and_drops_what_came_from_inside() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        assert await request.json() == CHAT
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return JSONResponse({"usage": usage}, headers={"set-cookie": "a=b", "retry-after": "5"})

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        answer = await client.post(
            "/v1/chat/completions?alt=sse&secret=1",
            json=CHAT,
            headers={"x-api-key": "x", "cookie": "c=d"},
        )
        assert answer.status_code == 200
        assert answer.headers["retry-after"] == "5"
        assert "set-cookie" not in answer.headers
        [request] = seen
        assert request.url.path == "/v1/chat/completions"
        assert request.headers["authorization"] == "Bearer real-key"
        assert not {"x-api-key", "cookie"} & set(request.headers)
        assert dict(request.query_params) == {"alt": "sse"}
        usage = gateway.usage("w1")
        assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 7, 3)
        assert "real-key" not in json.dumps(gateway.opencode_config("w1"))


async def test_streams_chunk_by_chunk() -> None:
    go_on = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"usage":{"prompt_tok'
        await go_on.wait()
        yield b'ens": 11, "completion_tokens": 2}}\n\n'

    async def handler(_: Request) -> Response:
        return StreamingResponse(chunks(), media_type="text/event-stream")

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        async with client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            parts = answer.aiter_raw()
            first = await anext(parts)  # arrives although the provider has not finished
            go_on.set()
            rest = b"".join([part async for part in parts])
        assert (first + rest).endswith(b'"completion_tokens": 2}}\n\n')
        assert gateway.usage("w1").input_tokens == 11


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/files", CHAT, 403),
        ("POST", "/v1/../admin/keys", CHAT, 403),
        ("POST", "/v1/responses", CHAT, 403),
        ("POST", "/chat/completions", CHAT, 403),
        ("GET", "/v1/chat/completions", None, 403),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "dearer"}, 403),
        ("POST", "/v1/chat/completions", ["not", "an", "object"], 400),
    ],
)
async def test_other_calls_are_refused_and_do_not_get_out(
    method: str, path: str, body: Any, status: int
) -> None:
    asked = 0

    async def handler(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response()

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        answer = await client.request(method, path, json=body)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]
        assert asked == 0


async def test_the_providers_error_comes_through() -> None:
    async def handler(_: Request) -> Response:
        return JSONResponse({"error": {"message": "slow down"}}, status_code=429)

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        answer = await client.post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 429
        assert answer.json() == {"error": {"message": "slow down"}}


async def test_an_absent_provider_is_a_bad_gateway() -> None:
    async with provider(lambda _: asyncio.sleep(0, Response())) as url:
        pass
    async with inside(compatible(url)) as (client, _):
        answer = await client.post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 502
        assert "does not answer" in answer.json()["error"]["message"]


async def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growqr.models.gateway._BODY_BYTES", 1000)
    async with inside(ModelSettings()) as (client, _):
        answer = await client.post("/v1/chat/completions", content=b" " * 2000)
        assert answer.status_code == 413


async def test_at_most_so_many_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growqr.models.gateway._AT_ONCE", 1)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def handler(_: Request) -> Response:
        arrived.set()
        await go_on.wait()
        return JSONResponse({})

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        first = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
        await arrived.wait()
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 429
        go_on.set()
        assert (await first).status_code == 200
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_offline_it_answers_by_itself() -> None:
    async with inside(ModelSettings()) as (client, gateway):
        body = {"model": "offline", "tools": [{}], "messages": CHAT["messages"]}
        whole = await client.post("/v1/chat/completions", json=body)
        assert "(offline model)" in whole.json()["choices"][0]["message"]["content"]
        streamed = await client.post("/v1/chat/completions", json={**body, "stream": True})
        assert streamed.headers["content-type"].startswith("text/event-stream")
        assert streamed.text.endswith("data: [DONE]\n\n")
        assert (await client.get("/v1/models")).json()["data"][0]["id"] == "offline"
        assert gateway.usage("w1").requests == 3
        assert gateway.usage("other").requests == 0


@pytest.mark.parametrize("given", ["none", "other's", "real"])
async def test_only_its_own_workspaces_token_opens_a_socket(given: str) -> None:
    asked = 0

    async def handler(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return JSONResponse({})

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        await gateway.open("w2")
        tokens = {"none": "not-needed", "other's": token_of(gateway, "w2"), "real": "real-key"}
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
            answer = await client.request(method, path, json=CHAT, headers=keys(tokens[given]))
            assert answer.status_code == 401
        assert asked == 0
        assert token_of(gateway, "w1") != tokens["other's"]
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


@pytest.mark.parametrize("kind", WIRES)
async def test_each_providers_own_api_passes_unbuffered_and_is_counted(kind: Any) -> None:
    wire, go_on = WIRES[kind], asyncio.Event()
    seen: list[Request] = []
    asked: dict[str, Any] = {"model": "m1", "stream": True, "messages": [], "input": []}
    whole = wires.answer(kind, asked | {"contents": []}, "true")

    async def events() -> AsyncIterator[bytes]:
        yield whole[0]
        await go_on.wait()
        for event in whole[1:]:
            yield event

    async def handler(request: Request) -> Response:
        seen.append(request)
        return StreamingResponse(events(), media_type="text/event-stream")

    async with provider(handler) as url:
        settings = ModelSettings(
            provider=kind,
            name="m1",
            base_url=url if kind == "openai" else url.removesuffix("/v1"),
            api_key=SecretStr("real-key"),
        )
        async with inside(settings) as (client, gateway):
            async with client.stream("POST", wire.path, json=asked) as answer:
                parts = answer.aiter_raw()
                got = await anext(parts)
                assert got == whole[0]  # it arrives although the provider has more to say
                go_on.set()
                got += b"".join([part async for part in parts])
            used = gateway.usage("w1")
    assert got == b"".join(whole)
    assert seen[0].headers[wire.key_header].endswith("real-key")
    assert token_of(gateway, "w1") not in str(seen[0].headers)
    assert (used.input_tokens, used.output_tokens) == (
        wires.COUNTED_INPUT,
        wires.COUNTED_OUTPUT,
    )


async def test_no_prompt_and_no_key_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    async def handler(_: Request) -> Response:
        return JSONResponse({"error": {"message": "a-secret-prompt"}}, status_code=500)

    prompt = {**CHAT, "messages": [{"role": "user", "content": "a-secret-prompt"}]}
    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        token = token_of(gateway, "w1")
        assert (await client.post("/v1/chat/completions", json=prompt)).status_code == 500
        assert (await client.post("/v1/a-secret-prompt", json=prompt)).status_code == 403
    unreachable = compatible("http://127.0.0.1:1/v1")
    async with inside(unreachable) as (client, _):
        assert (await client.post("/v1/chat/completions", json=prompt)).status_code == 502
    printed = "".join(capfd.readouterr())
    assert "upstream_unreachable" in printed
    for secret in ("a-secret-prompt", "real-key", token):
        assert secret not in printed


async def test_each_workspace_has_its_own_socket_until_it_is_closed() -> None:
    gateway = ModelGateway(ModelSettings())
    try:
        first, second = await gateway.open("w1"), await gateway.open("w2")
        assert first != second
        assert await gateway.open("w1") == first
        assert first.parent.stat().st_mode & 0o077 == 0
        await gateway.close("w1")
        await gateway.close("w1")
        assert (first.exists(), second.exists()) == (False, True)
    finally:
        await gateway.aclose()


@pytest.mark.parametrize(
    ("kind", "path", "header", "given", "called"),
    [
        ("anthropic", "v1/messages", "x-api-key", "", "/v1/messages"),
        ("openai", "v1/responses", "authorization", "/v1", "/v1/responses"),
        (
            "google",
            "v1beta/models/m1:streamGenerateContent?alt=sse",
            "x-goog-api-key",
            "",
            "/v1beta/models/m1:streamGenerateContent",
        ),
    ],
)
async def test_each_provider_gets_its_own_path_and_key(
    kind: Any, path: str, header: str, given: str, called: str
) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return JSONResponse({})

    async with provider(handler) as url:
        settings = ModelSettings(
            provider=kind,
            name="m1",
            base_url=url.removesuffix("/v1") + given,
            api_key=SecretStr("real-key"),
        )
        async with inside(settings) as (client, gateway):
            assert (await client.post(f"/{path}", json={"model": "m1"})).status_code == 200
            config = gateway.opencode_config("w1")
    assert seen[0].url.path == called
    assert seen[0].headers[header].endswith("real-key")
    assert config["model"] == f"{kind}/m1"
    version = path.partition("/")[0]
    assert config["provider"][kind]["options"]["baseURL"] == f"http://127.0.0.1:9911/{version}"


def metered(tokens: int) -> Handler:
    async def handler(_: Request) -> Response:
        return JSONResponse({"usage": {"prompt_tokens": tokens - 1, "completion_tokens": 1}})

    return handler


async def test_a_tasks_budget_ends_its_requests_and_the_next_task_has_its_own() -> None:
    async with provider(metered(60)) as url:
        settings = compatible(url).model_copy(update={"tokens_per_task": 100})
        async with inside(settings) as (client, gateway):
            gateway.begin_task("w1", "usr_1")
            for _ in range(2):
                assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
            refused = await client.post("/v1/chat/completions", json=CHAT)
            assert refused.status_code == 402
            assert "budget of 100 tokens" in refused.json()["error"]["message"]
            assert gateway.task_tokens("w1") == 120
            gateway.begin_task("w1", "usr_1")
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
            gateway.begin_task("w1", "usr_1", used=100)  # it goes on after a restart
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 402


@asynccontextmanager
async def people(tmp_path: Path, billing: BillingSettings) -> AsyncIterator[Entitlements]:
    db = Database(f"sqlite:///{tmp_path}/growqr.sqlite")
    await db.migrate()
    async with db.session() as session:
        for name in ("a", "b"):
            session.add(User(id=name, email=f"{name}@x.org", name=name, password_hash=None))
    yield Entitlements(billing, db)
    await db.aclose()


async def ask_as(gateway: ModelGateway, workspace: str, user: str) -> httpx.Response:
    path = await gateway.open(workspace, user)
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    headers = keys(token_of(gateway, workspace))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
        return await client.post("/v1/chat/completions", json=CHAT, headers=headers)


async def test_a_persons_day_is_one_budget_over_workspaces_and_workers(tmp_path: Path) -> None:
    async with (
        provider(metered(60)) as url,
        people(tmp_path, BillingSettings()) as entitlements,
    ):
        settings = compatible(url).model_copy(update={"tokens_per_day": 100})
        statuses = []
        for workspace, user in (("w1", "a"), ("w2", "a"), ("w3", "a"), ("w4", "b")):
            gateway = ModelGateway(settings, entitlements=entitlements)  # as on another worker
            statuses.append((await ask_as(gateway, workspace, user)).status_code)
            await gateway.aclose()
        assert statuses == [200, 200, 402, 200]
        used = [(await entitlements.usage.on(user, today())).model_tokens for user in "ab"]
        assert used == [120, 60]


async def test_a_plan_that_is_used_up_or_unpaid_ends_requests(tmp_path: Path) -> None:
    plan = Plan(key="p", name="P", price="price_p", model_tokens_per_day=100)
    billing = BillingSettings(
        provider="stripe",
        plans=(plan,),
        stripe_secret_key=SecretStr("sk"),
        stripe_webhook_secret=SecretStr("whsec"),
    )
    async with provider(metered(60)) as url, people(tmp_path, billing) as entitlements:
        gateway = ModelGateway(compatible(url), entitlements=entitlements)
        unpaid = await ask_as(gateway, "w1", "a")
        assert unpaid.status_code == 402
        assert "Choose a plan" in unpaid.json()["error"]["message"]
        async with entitlements._db.session() as session:
            session.add(
                Subscription(user_id="a", customer_id="cus_1", status="active", price_id="price_p")
            )
        entitlements.forget("a")
        await entitlements.usage.add("a", model_tokens=30)  # the Grow Agent's own use counts, too
        statuses = [(await ask_as(gateway, "w1", "a")).status_code for _ in range(3)]
        assert statuses == [200, 200, 402]
        await gateway.aclose()


async def test_the_time_that_a_workspace_runs_is_counted(tmp_path: Path) -> None:
    async with people(tmp_path, BillingSettings()) as entitlements:
        now = 100.0
        running = RunningTime(entitlements.usage, lambda: now)

        async def counted() -> int:
            return (await entitlements.usage.on("a", today())).workspace_seconds

        running.began("w1", "a")
        now += 59.5
        running.began("w2", "a")
        await running.count()
        assert await counted() == 59
        now += 0.75
        await running.ended("w1")
        assert await counted() == 60  # parts of seconds are not lost
        await running.ended("w1")
        now += 10
        await running.count()
        assert await counted() == 70
        running.began("w3", "usr_gone")
        await running.ended("w3")


async def test_the_gateway_times_a_workspace_from_open_to_close(tmp_path: Path) -> None:
    async with people(tmp_path, BillingSettings()) as entitlements:
        gateway = ModelGateway(ModelSettings(), entitlements=entitlements)
        assert gateway._time is not None
        gateway._time._clock = iter(range(0, 1000, 10)).__next__
        await gateway.open("w1", "a")
        await gateway.open("w1", "a")
        await gateway.close("w1")
        await gateway.close("w1")
        await gateway.aclose()
        assert (await entitlements.usage.on("a", today())).workspace_seconds == 10


async def test_too_many_requests_are_told_when_to_come_back() -> None:
    async with provider(metered(1)) as url:
        settings = compatible(url).model_copy(update={"requests_per_minute": 1})
        async with inside(settings) as (client, _):
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
            refused = await client.post("/v1/chat/completions", json=CHAT)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_a_sandbox_can_not_ask_without_being_counted() -> None:
    bodies: list[Any] = []

    async def handler(request: Request) -> Response:
        bodies.append(await request.json())
        return Response(b"x" * 400)

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        quiet = {**CHAT, "stream": True, "stream_options": {"include_usage": False}}
        await client.post("/v1/chat/completions", json=quiet)
        assert bodies[0]["stream_options"] == {"include_usage": True}
        assert bodies[0]["messages"] == CHAT["messages"]
        assert gateway.usage("w1").output_tokens == 100  # the answer told nothing: estimated
        assert gateway.usage("w1").input_tokens > 0


async def test_errors_of_the_provider_cost_nothing() -> None:
    async def handler(_: Request) -> Response:
        return JSONResponse({"error": {"message": "overloaded"}}, status_code=529)

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 529
        assert gateway.usage("w1").tokens == 0
