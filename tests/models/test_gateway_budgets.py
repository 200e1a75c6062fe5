"""What passes the gateway is counted, and held to the budgets of task, person and plan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from growqr.billing.entitlement import Entitlements
from growqr.billing.usage import today
from growqr.db.engine import Database
from growqr.db.tables import Subscription, User
from growqr.models.gateway import ModelGateway
from growqr.models.running_time import RunningTime
from growqr.settings import BillingSettings, ModelSettings, Plan
from tests.models.gateways import CHAT, Handler, compatible, inside, keys, provider, token_of

pytestmark = pytest.mark.anyio


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
    async with httpx.AsyncClient(transport=transport, base_url="http://g", timeout=60) as client:
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
