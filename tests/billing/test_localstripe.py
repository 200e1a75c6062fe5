"""Our side of Stripe against an imitation that is not ours: its objects, errors and signatures."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from growqr.billing.entitlement import Entitlements
from growqr.billing.stripe_api import StripeApi, WebhookRefused
from growqr.billing.subscriptions import Subscriptions
from growqr.db.billing import find_subscription
from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.settings import BillingSettings, Plan, Settings
from tests.support.localstripe import FAILING_CARD, GOOD_CARD, KEY, LocalStripe, localstripe
from tests.support.stripe_server import serve

pytestmark = pytest.mark.anyio

SECRET = "whsec_of_localstripe"
Webhook = tuple[bytes, str]


@dataclass
class Shop:
    """Ada, who may pay at localstripe."""

    stripe: LocalStripe
    heard: "Queue[Webhook]"
    api: StripeApi
    subscriptions: Subscriptions
    entitlements: Entitlements
    db: Database

    async def customer(self) -> str:
        """Ada's customer, made as a checkout does; localstripe has no checkout to go on with."""
        return await self.subscriptions._customer("usr_ada")

    def webhooks_until(self, kind: str) -> list[Webhook]:
        """What localstripe has sent, up to the first webhook of this type."""
        found = []
        while True:
            found.append(self.heard.get(timeout=30))
            if json.loads(found[-1][0])["type"] == kind:
                return found

    async def hear(self, webhooks: list[Webhook]) -> None:
        for body, signature in webhooks:
            await self.subscriptions.receive(body, signature)

    async def state(self) -> tuple[str, bool]:
        async with self.db.session() as session:
            row = await find_subscription(session, user_id="usr_ada")
        assert row is not None
        return row.status, (await self.entitlements.check("usr_ada")).entitled


@pytest.fixture(scope="module")
def stripe() -> Iterator[tuple[LocalStripe, "Queue[Webhook]"]]:
    heard: Queue[Webhook] = Queue()

    async def hook(request: Request) -> Response:
        heard.put((await request.body(), request.headers["stripe-signature"]))
        return Response(status_code=204)

    app = Starlette(routes=[Route("/hook", hook, methods=["POST"])])
    with localstripe() as server, serve(app) as url:
        server.set_up(f"{url}/hook", SECRET)
        yield server, heard


@pytest.fixture
async def shop(stripe: tuple[LocalStripe, "Queue[Webhook]"], tmp_path: Path) -> AsyncIterator[Shop]:
    server, heard = stripe
    plan = Plan(key="pro", name="Pro", price="plan_pro")
    billing = BillingSettings(
        provider="stripe",
        plans=(plan,),
        stripe_secret_key=SecretStr(KEY),
        stripe_webhook_secret=SecretStr(SECRET),
        stripe_api_base=server.url,
    )
    settings = Settings(data_dir=tmp_path, billing=billing)
    db = Database(settings.db_url)
    await db.migrate()
    async with db.session() as session:
        session.add(User(id="usr_ada", email="ada@example.org", name="Ada", password_hash=None))
    api = StripeApi(billing)
    entitlements = Entitlements(billing, db)
    subscriptions = Subscriptions(settings, db, api, entitlements)
    yield Shop(server, heard, api, subscriptions, entitlements, db)
    await api.aclose()
    await db.aclose()


async def test_a_card_that_fails_then_pays_and_a_subscription_that_ends(shop: Shop) -> None:
    customer = await shop.customer()
    shop.stripe.use_card(customer, FAILING_CARD)
    subscription = shop.stripe.subscribe(customer)
    await shop.hear(shop.webhooks_until("customer.subscription.created"))
    assert await shop.state() == ("incomplete", False)
    shop.stripe.use_card(customer, GOOD_CARD)
    shop.stripe.pay(customer)
    await shop.hear(shop.webhooks_until("invoice.payment_succeeded"))
    assert await shop.state() == ("active", True)
    shop.stripe.cancel(subscription)
    await shop.hear(shop.webhooks_until("customer.subscription.deleted"))
    assert await shop.state() == ("canceled", False)
    await shop.subscriptions.forget_user("usr_ada")
    shop.webhooks_until("customer.deleted")


@pytest.mark.parametrize("seed", range(3))
async def test_its_webhooks_in_any_order_and_number_end_in_the_same_state(
    shop: Shop, seed: int
) -> None:
    customer = await shop.customer()
    shop.stripe.use_card(customer, GOOD_CARD)
    shop.stripe.subscribe(customer)
    webhooks = shop.webhooks_until("customer.subscription.created")
    chance = random.Random(seed)
    order = webhooks + chance.choices(webhooks, k=5)
    chance.shuffle(order)
    await shop.hear(order)
    assert await shop.state() == ("active", True)


async def test_its_signature_holds_for_its_own_words_only(shop: Shop) -> None:
    await shop.customer()
    ((body, signature),) = shop.webhooks_until("customer.created")[-1:]
    assert shop.api.webhook(body, signature).type == "customer.created"
    for forged in (body + b" ", body.replace(b"cus_", b"cus_x")):
        with pytest.raises(WebhookRefused):
            shop.api.webhook(forged, signature)
    with pytest.raises(WebhookRefused):
        shop.api.webhook(body, signature.replace("v1=", "v1=0"))
