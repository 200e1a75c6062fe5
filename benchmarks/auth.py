"""What it costs to know who asks and what they may do, and how fast webhooks are handled.

The first two are paid with every request, so they have a budget and ask no network. Webhooks
run against a Stripe-like server on loopback, one after the other, each with its question to it.
"""

import asyncio
import logging
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import structlog

from benchmarks.report import Result
from growqr.billing.entitlement import Entitlements
from growqr.billing.stripe_api import StripeApi
from growqr.billing.subscriptions import Subscriptions
from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenService
from tests.support.clerk_server import clerk_identity, clerk_server
from tests.support.stripe_server import StripeServer, stripe_server
from tests.support.stripe_settings import stripe_settings

COUNT = 2_000
WEBHOOKS = 200
USER = "usr_bench"


def run() -> list[Result]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder, stripe_server() as stripe:
        return asyncio.run(_measure(Path(folder), stripe))


async def _measure(folder: Path, stripe: StripeServer) -> list[Result]:
    settings = stripe_settings(folder, stripe)
    db = Database(settings.db_url)
    await db.migrate()
    async with db.session() as session:
        session.add(User(id=USER, email="bench@example.com", name="Bench", password_hash=None))
    api = StripeApi(settings.billing)
    entitlements = Entitlements(settings.billing, db)
    subscriptions = Subscriptions(settings, db, api, entitlements)
    await subscriptions.checkout(USER, "pro")
    (customer,) = stripe.customers
    stripe.subscribe(customer, "price_pro")
    await subscriptions.sync(customer)
    try:
        return [
            await _local(folder, entitlements),
            await _clerk(db, entitlements),
            _service(folder),
            await _messages(entitlements),
            await _webhooks(stripe, customer, subscriptions),
        ]
    finally:
        await api.aclose()
        await db.aclose()


async def _local(folder: Path, entitlements: Entitlements) -> Result:
    tokens = TokenService.open(folder / "secrets", timedelta(hours=1))
    token = tokens.issue(Principal(USER, "bench@example.com", "Bench")).text
    times = []
    for _ in range(COUNT):
        began = time.perf_counter()
        await entitlements.require(tokens.verify(token).user_id)
        times.append((time.perf_counter() - began) * 1000)
    return Result("local token and entitlement", times, budget=0.3)


def _service(folder: Path) -> Result:
    tokens = TokenService.open(folder / "secrets", timedelta(hours=1))
    times = []
    for _ in range(COUNT):
        began = time.perf_counter()
        tokens.for_service(user_id=USER, actor_id="act_1", audience="qscore", scope="qscore:assess")
        times.append((time.perf_counter() - began) * 1000)
    return Result("a token for one call of a service", times)


async def _clerk(db: Database, entitlements: Entitlements) -> Result:
    with clerk_server() as clerk:
        identity = clerk_identity(clerk.settings(), db)
        token = clerk.token(clerk.add("bench"))
        await identity.verify(token)
        times = []
        for _ in range(COUNT):
            began = time.perf_counter()
            await identity.verify(token)
            await entitlements.require(USER)
            times.append((time.perf_counter() - began) * 1000)
        await identity.aclose()
    return Result("Clerk's token (seen before) and entitlement", times, budget=0.3)


async def _messages(entitlements: Entitlements) -> Result:
    times = []
    for _ in range(COUNT // 10):
        began = time.perf_counter()
        await entitlements.usage.take_message(USER, None)
        times.append((time.perf_counter() - began) * 1000)
    return Result("counting a message (a write)", times)


async def _webhooks(stripe: StripeServer, customer: str, subscriptions: Subscriptions) -> Result:
    times = []
    for number in range(WEBHOOKS):
        if not stripe.outbox:
            stripe.change_price(customer, "price_plus" if number % 2 else "price_pro")
        webhook = stripe.outbox.pop(0)
        began = time.perf_counter()
        await subscriptions.receive(webhook.body, webhook.signature)
        times.append((time.perf_counter() - began) * 1000)
    rate = 1000 * len(times) / sum(times)
    return Result(f"a webhook with its question to Stripe ({rate:.0f}/s)", times)
