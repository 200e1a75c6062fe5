"""Paying on the whole platform: sign up, pay, use, fail to pay, be suspended, pay, go on, leave."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from growqr.testing import Platform
from tests.support.stripe_server import StripeServer, stripe_server
from tests.support.stripe_settings import stripe_environment

pytestmark = pytest.mark.live

ACCOUNT = {"email": "ada@example.org", "password": "correct horse 1", "name": "Ada"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, StripeServer]]:
    folder: Path = tmp_path_factory.mktemp("billing")
    with stripe_server() as stripe, Platform(folder, stripe_environment(stripe)) as platform:
        stripe.webhook_url = f"{platform.url}/billing/webhooks/stripe"
        yield platform, stripe


def hear(http: httpx.Client, actor_id: str, after: int, *, until: str) -> list[dict[str, object]]:
    """Follow the agent's stream until a message that contains `until`; gives the events."""
    seen = []
    path = f"/actors/{actor_id}/events"
    with http.stream(
        "GET", path, params={"after": after}, headers={"accept": "text/event-stream"}
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                seen.append(event)
                if event["type"] == "message.completed" and until in event["data"]["text"]:
                    return seen
    raise AssertionError(f"the stream ended before {until!r}")


def test_paying_failing_paying_again_and_leaving(shop: tuple[Platform, StripeServer]) -> None:
    platform, stripe = shop
    with httpx.Client(base_url=platform.url, timeout=60, trust_env=False) as http:
        token = http.post("/auth/register", json=ACCOUNT).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        actor = http.post("/actors/provision").json()["actor"]
        assert actor["status"] == "suspended"
        path = f"/actors/{actor['id']}/message"
        hear(http, actor["id"], 0, until="Choose a plan")
        refused = http.post(path, json={"text": "remember that I like tea"})
        assert (refused.status_code, refused.json()["code"]) == (402, "entitlement_required")

        page = http.post("/billing/checkout", json={"plan": "pro"}).json()["url"]
        assert httpx.post(page, timeout=60, trust_env=False).status_code == 303
        hear(http, actor["id"], 0, until="Your agents go on")
        assert http.post(path, json={"text": "remember that I like tea"}).status_code == 202
        events = hear(http, actor["id"], 0, until="tea")
        last = events[-1]["seq"]
        assert isinstance(last, int)

        (customer,) = stripe.customers
        stripe.fail_payment(customer, days_ago=4)  # grace is three days
        stripe.deliver()
        hear(http, actor["id"], last, until="you can read everything")
        statuses = {row["status"] for row in http.get("/actors").json()["items"]}
        assert statuses <= {"running", "suspended"}
        refused = http.post(path, json={"text": "and milk"})
        assert refused.json()["code"] == "entitlement_required"
        files = http.get("/memory").json()["items"]
        assert files

        stripe.pay(customer)
        stripe.deliver()
        hear(http, actor["id"], last, until="go on where they were")
        posted = http.post(path, json={"text": "what do you know about tea?"})
        assert posted.status_code == 202
        heard = hear(http, actor["id"], 0, until="like tea")
        # parts of a message come live and without a number
        seqs = [event["seq"] for event in heard if event["seq"] is not None]
        assert seqs == list(range(1, len(seqs) + 1))

        usage = http.get("/billing/usage", params={"days": 1}).json()
        assert usage["days"][0]["messages"] == 2
        gone = http.post("/auth/delete", json={"password": ACCOUNT["password"]})
        assert gone.status_code == 204, gone.text
        assert stripe.customers == {}
        assert http.post("/actors/provision").status_code == 401
        assert not list((platform.data_dir / "git").glob(f"{actor['repo_id']}*"))
