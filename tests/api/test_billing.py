"""Paying, from the request to the agents: the api, a real database, a Stripe-like server."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from growqr.api.app_factory import create_api
from growqr.api.provisioning import provision
from growqr.api.services import Billing, Services
from growqr.api.suspension import Suspensions
from growqr.billing.entitlement import Entitlements
from growqr.billing.stripe_api import StripeApi
from growqr.billing.subscriptions import Subscriptions
from growqr.settings import Settings
from tests.api.conftest import Person, new_person
from tests.api.fake_engine import FakeClient
from tests.support.stripe_server import StripeServer, stripe_server
from tests.support.stripe_settings import stripe_settings

pytestmark = pytest.mark.anyio


class Clock:
    """The real time, moved by what a test waits."""

    def __init__(self) -> None:
        self._waited = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._waited

    def wait(self, days: int) -> None:
        self._waited += timedelta(days)


@dataclass
class Shop:
    """The api with billing, and Stripe behind it."""

    app: FastAPI
    stripe: StripeServer
    suspensions: Suspensions
    clock: Clock

    async def webhooks(self, http: httpx.AsyncClient) -> None:
        """Let Stripe deliver what waits."""
        while self.stripe.outbox:
            webhook = self.stripe.outbox.pop(0)
            answer = await http.post(
                "/billing/webhooks/stripe", content=webhook.body, headers=webhook.headers
            )
            assert answer.status_code == 204, answer.text


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, stripe: StripeServer) -> Settings:
    return stripe_settings(tmp_path, stripe)


@pytest.fixture
async def shop(services: Services, stripe: StripeServer) -> AsyncIterator[Shop]:
    billing = services.settings.billing
    api = StripeApi(billing)
    clock = Clock()
    entitlements = Entitlements(billing, services.db, clock)
    subscriptions = Subscriptions(services.settings, services.db, api, entitlements)

    async def make_agents(user_id: str) -> object:
        return await provision(whole, user_id)

    suspensions = Suspensions(
        services.db, services.agents, entitlements, subscriptions, make_agents
    )
    whole = replace(
        services, entitlements=entitlements, billing=Billing(subscriptions, suspensions)
    )
    yield Shop(create_api(whole), stripe, suspensions, clock)
    await api.aclose()


@pytest.fixture
async def ada(shop: Shop) -> AsyncIterator[Person]:
    person = await new_person(shop.app, "ada")
    yield person
    await person.http.aclose()


async def buy(shop: Shop, person: Person, plan: str) -> str:
    """Go through checkout as a browser does; returns the customer's id."""
    answer = await person.http.post("/billing/checkout", json={"plan": plan})
    assert answer.status_code == 200, answer.text
    async with httpx.AsyncClient(timeout=60, trust_env=False) as browser:
        paid = await browser.post(answer.json()["url"])
    assert paid.headers["location"].endswith("/app/settings?checkout=done")
    await shop.webhooks(person.http)
    return next(iter(shop.stripe.customers))


async def say(person: Person, text: str = "hello", **headers: str) -> httpx.Response:
    path = f"/actors/{person.actor['id']}/message"
    return await person.http.post(path, json={"text": text}, headers=headers)


async def statuses(person: Person) -> set[str]:
    return {actor["status"] for actor in (await person.http.get("/actors")).json()["items"]}


async def notices(person: Person) -> list[str]:
    page = await person.http.get(
        f"/actors/{person.actor['id']}/events", headers={"accept": "application/json"}
    )
    items = page.json()["items"]
    return [item["data"]["text"] for item in items if item["type"] == "message.completed"]


async def test_before_paying_agents_rest_and_say_how_to_pay(shop: Shop, ada: Person) -> None:
    assert ada.actor["status"] == "suspended"
    refused = await say(ada)
    assert (refused.status_code, refused.json()["code"]) == (402, "entitlement_required")
    start = await ada.http.post(f"/actors/{ada.actor['id']}/start")
    assert start.status_code == 402
    assert "Choose a plan" in (await notices(ada))[0]
    plans = (await ada.http.get("/billing/plans")).json()
    assert [plan["key"] for plan in plans] == ["plus", "pro"]
    assert "price" not in plans[0]


async def test_paying_starts_the_agents(shop: Shop, ada: Person) -> None:
    await buy(shop, ada, "pro")
    assert await statuses(ada) == {"running"}
    assert (await say(ada)).status_code == 202
    shown = (await ada.http.get("/billing/subscription")).json()
    assert (shown["plan"], shown["status"], shown["entitled"]) == ("pro", "trialing", True)
    assert shown["trial_end"] == shown["current_period_end"]


async def test_a_payment_before_the_first_visit_makes_the_agents(
    shop: Shop, services: Services, engine: FakeClient
) -> None:
    transport = httpx.ASGITransport(shop.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        account = {"email": "eve@example.org", "password": "correct horse 1", "name": "Eve"}
        token = (await http.post("/auth/register", json=account)).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        assert engine.agents == {}
        await buy(shop, Person(http, "", {}), "pro")
        assert {agent.name for agent in engine.agents.values()} == {"grow"}
        actor = (await http.get("/actors/me")).json()
        assert actor["status"] == "running"


async def test_failing_to_pay_ends_in_suspension_and_paying_brings_everything_back(
    shop: Shop, ada: Person, engine: FakeClient
) -> None:
    customer = await buy(shop, ada, "pro")
    channels = (await ada.http.get("/channels")).json()["items"]
    quest = next(channel for channel in channels if channel["name"] == "quest")
    await ada.http.post(f"/actors/{quest['actor_id']}/stop")
    await say(ada, "before")

    shop.stripe.fail_payment(customer)
    await shop.webhooks(ada.http)
    assert "go on until" in (await notices(ada))[-1]
    assert (await say(ada, "in grace")).status_code == 202

    shop.clock.wait(days=4)
    await shop.suspensions.sweep()
    assert await statuses(ada) == {"suspended", "stopped"}
    assert not any(agent.running for agent in engine.agents.values())
    assert (await say(ada)).json()["code"] == "entitlement_required"
    read = await ada.http.get(f"/channels/{channels[0]['id']}/messages")
    assert [m["text"] for m in read.json()["items"] if m["text"] == "before"] == ["before"]
    told = await notices(ada)
    assert "you can read everything" in told[-1]
    await shop.suspensions.sweep()
    assert await notices(ada) == told

    shop.stripe.pay(customer)
    await shop.webhooks(ada.http)
    rows = (await ada.http.get("/actors")).json()["items"]
    assert {row["name"] for row in rows if row["status"] == "stopped"} == {"quest"}
    assert {row["status"] for row in rows} == {"running", "stopped"}
    assert (await say(ada, "after")).status_code == 202
    assert (await notices(ada))[-1].startswith("Thank you")


async def test_suspension_goes_on_after_the_engine_was_away(
    shop: Shop, ada: Person, engine: FakeClient
) -> None:
    customer = await buy(shop, ada, "pro")
    engine.down = True
    shop.stripe.delete(customer)
    await shop.webhooks(ada.http)
    assert await statuses(ada) == {"running"}
    engine.down = False
    await shop.suspensions.sweep()
    assert await statuses(ada) == {"suspended"}


async def test_a_lost_webhook_is_made_up_for(shop: Shop, ada: Person) -> None:
    customer = await buy(shop, ada, "plus")
    shop.stripe.delete(customer)
    shop.stripe.outbox.clear()
    await shop.suspensions.sweep()
    assert await statuses(ada) == {"running"}
    shop.clock.wait(days=31)
    await shop.suspensions.sweep()
    assert await statuses(ada) == {"suspended"}


async def test_coming_back_from_paying_does_not_wait_for_the_webhook(
    shop: Shop, ada: Person
) -> None:
    await buy(shop, ada, "plus")
    shop.stripe.change_price(next(iter(shop.stripe.customers)), "price_pro")
    assert (await ada.http.get("/billing/subscription")).json()["plan"] == "plus"
    fresh = await ada.http.get("/billing/subscription", params={"refresh": True})
    assert fresh.json()["plan"] == "pro"


async def test_a_days_messages_are_counted_once_each_and_limited(shop: Shop, ada: Person) -> None:
    await buy(shop, ada, "plus")
    for _ in range(3):
        assert (await say(ada, "same", **{"idempotency-key": "k1"})).status_code == 202
    assert (await say(ada, "")).status_code == 400
    for _ in range(2):
        assert (await say(ada)).status_code == 202
    refused = await say(ada)
    assert (refused.status_code, refused.json()["code"]) == (402, "plan_limit")
    assert refused.json()["limit"] == "messages_per_day"
    usage = (await ada.http.get("/billing/usage", params={"days": 2})).json()
    assert [day["messages"] for day in usage["days"]] == [0, 3]
    assert usage["messages_per_day"] == 3


async def test_a_message_that_was_not_accepted_counts_nothing(
    shop: Shop, ada: Person, engine: FakeClient
) -> None:
    await buy(shop, ada, "plus")
    engine.down = True
    assert (await say(ada)).status_code == 503
    engine.down = False
    usage = (await ada.http.get("/billing/usage", params={"days": 1})).json()
    assert usage["days"][0]["messages"] == 0


async def test_an_agent_outside_the_plan_is_refused_with_a_code(shop: Shop, ada: Person) -> None:
    await buy(shop, ada, "plus")
    rows = (await ada.http.get("/actors")).json()["items"]
    coding = next(row for row in rows if row["name"] == "coding")
    refused = await ada.http.post(f"/actors/{coding['id']}/message", json={"text": "build"})
    assert (refused.status_code, refused.json()["code"]) == (402, "plan_limit")
    changed = await ada.http.post("/billing/plan", json={"plan": "pro"})
    assert changed.json()["plan"] == "pro"
    accepted = await ada.http.post(f"/actors/{coding['id']}/message", json={"text": "build"})
    assert accepted.status_code == 202


async def test_a_forged_webhook_is_refused(shop: Shop, ada: Person) -> None:
    await ada.http.post("/billing/checkout", json={"plan": "pro"})
    shop.stripe.subscribe(next(iter(shop.stripe.customers)), "price_pro")
    webhook = shop.stripe.outbox[0]
    headers = {**webhook.headers, "stripe-signature": "t=1,v1=00"}
    answer = await ada.http.post("/billing/webhooks/stripe", content=webhook.body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook.signature_invalid")
    assert await statuses(ada) == {"suspended"}


async def test_stripe_being_down_is_told_and_changes_nothing(shop: Shop, ada: Person) -> None:
    shop.stripe.down = True
    answer = await ada.http.post("/billing/checkout", json={"plan": "pro"})
    assert (answer.status_code, answer.json()["code"]) == (503, "billing.unavailable")
