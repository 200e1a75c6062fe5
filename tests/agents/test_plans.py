"""What a plan means inside the worker: for tasks that agents give each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from growqr.db.tables import Subscription
from growqr.settings import BillingSettings, Plan, Settings
from tests.agents.world import World, world

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PLANS = (
    Plan(key="talk", name="Talk", price="price_talk", agents=("grow",)),
    Plan(key="all", name="All", price="price_all", model_tokens_per_day=10),
)


@asynccontextmanager
async def home_with(
    folder: Path, engine: str, price: str, status: str = "active"
) -> AsyncIterator[World]:
    billing = BillingSettings(
        provider="stripe",
        plans=PLANS,
        stripe_secret_key=SecretStr("sk"),
        stripe_webhook_secret=SecretStr("whsec"),
    )
    async with world(folder, engine, settings=Settings(billing=billing)) as home:
        async with home.services.db.session() as session:
            session.add(
                Subscription(
                    user_id=home.user_id, customer_id="cus_1", status=status, price_id=price
                )
            )
        yield home


def wish(home: World, task_id: str) -> dict[str, Any]:
    return {
        "agent": "coding",
        "title": "work",
        "prompt": "work",
        "task_id": task_id,
        "requested_by": home.ids["grow"],
    }


async def test_an_agent_outside_the_plan_gets_no_task_from_another(
    tmp_path: Path, engine: str
) -> None:
    async with home_with(tmp_path, engine, "price_talk") as home:
        told = await home.reply_to(await home.post("build a tool\n```a.py\nprint()\n```"))
        assert "does not include the coding agent" in told["text"]
        await home.agent("grow").call("delegate", wish(home, "tsk_1"))  # as a quest does
        failed = await home.task_event("task.failed", "tsk_1")
        assert failed["data"]["reason"] == "The plan Talk does not include the coding agent."
        assert await home.events("coding") == []


async def test_used_up_tokens_are_told_before_work_begins(tmp_path: Path, engine: str) -> None:
    async with home_with(tmp_path, engine, "price_all") as home:
        await home.services.entitlements.usage.add(home.user_id, model_tokens=10)
        told = await home.reply_to(await home.post("build a tool\n```a.py\nprint()\n```"))
        assert "10 model tokens a day" in told["text"]


async def test_a_task_of_who_owes_waits_until_it_is_paid(tmp_path: Path, engine: str) -> None:
    async with home_with(tmp_path, engine, "price_all", status="paused") as home:
        await home.agent("coding").call("set_running", False)
        await home.agent("grow").call("delegate", wish(home, "tsk_1"))
        await home.task_event("task.created", "tsk_1", at="coding")
        await home.agent("coding").call("set_running", True)
        done = await home.task_event("task.completed", "tsk_1")
        assert done["data"]["result"]["summary"] == "did: work"
