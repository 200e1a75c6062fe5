"""Subscriptions on a real database, against a Stripe-like server over HTTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from growqr.billing.entitlement import Entitlements
from growqr.billing.stripe_api import StripeApi
from growqr.billing.subscriptions import Subscriptions
from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.settings import Settings
from tests.support.postgres import postgres
from tests.support.stripe_server import StripeServer, stripe_server
from tests.support.stripe_settings import stripe_settings


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class World:
    """Everything about one user who may pay."""

    settings: Settings
    db: Database
    stripe: StripeServer
    entitlements: Entitlements
    subscriptions: Subscriptions
    clock: Clock
    user_id: str

    async def customer(self) -> str:
        """Open a checkout, so that Stripe knows the user."""
        await self.subscriptions.checkout(self.user_id, "plus")
        return next(iter(self.stripe.customers))

    async def customer_once(self) -> str:
        """`customer`, also when the user has a plan already."""
        return next(iter(self.stripe.customers), None) or await self.customer()

    async def hear(self) -> None:
        """Receive every webhook that waits."""
        while self.stripe.outbox:
            webhook = self.stripe.outbox.pop(0)
            await self.subscriptions.receive(webhook.body, webhook.signature)


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


ON_BOTH = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.live)],
    indirect=True,
)
"""For what depends on the database's own rules: conflicts, races, types."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path}/db/growqr.sqlite"
    else:
        with postgres() as address:
            yield address


@pytest.fixture
async def world(stripe: StripeServer, tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = stripe_settings(tmp_path, stripe, database_url=database_url)
    db = Database(settings.db_url)
    await db.migrate()
    async with db.session() as session:
        session.add(User(id="usr_ada", email="ada@example.org", name="Ada", password_hash=None))
    clock = Clock()
    api = StripeApi(settings.billing)
    entitlements = Entitlements(settings.billing, db, clock)
    subscriptions = Subscriptions(settings, db, api, entitlements)
    yield World(settings, db, stripe, entitlements, subscriptions, clock, "usr_ada")
    await api.aclose()
    await db.aclose()
