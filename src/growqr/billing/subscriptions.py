"""Buying, changing and following subscriptions at Stripe.

Whatever a webhook says, it only tells us to look: the state that is stored is always what
Stripe answers when asked, so the order and the number of webhooks do not matter. Readings are
numbered when they begin, and one that began earlier never overwrites one that began later;
since every change at Stripe is followed by a webhook, the last reading sees the last change.
"""

from dataclasses import asdict

import structlog

from growqr.billing.entitlement import Entitlements
from growqr.billing.stripe_api import StripeApi
from growqr.db import billing as queries
from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.errors import Conflict, InvalidInput, Unauthenticated
from growqr.settings import Plan, Settings

log = structlog.get_logger(__name__)

_LIVE = queries.PAID + queries.OWING + ("paused",)


class UnknownPlan(InvalidInput):
    """No plan of that key is for sale."""

    code = "billing.unknown_plan"


class AlreadySubscribed(Conflict):
    """There is a subscription; change its plan instead of buying a second one."""

    code = "billing.already_subscribed"


class NotSubscribed(Conflict):
    """There is no subscription to change or to manage."""

    code = "billing.not_subscribed"


class Subscriptions:
    """What users do about their plan; raises StripeUnavailable when Stripe does not answer."""

    def __init__(
        self, settings: Settings, db: Database, stripe: StripeApi, entitlements: Entitlements
    ) -> None:
        self.plans = settings.billing.plans
        self._back = f"{settings.base_url}/app/settings"
        self._db = db
        self._stripe = stripe
        self._entitlements = entitlements

    async def checkout(self, user_id: str, plan_key: str) -> str:
        """Return the address where the user buys the plan.

        Raises UnknownPlan and AlreadySubscribed.
        """
        plan = self._plan(plan_key)
        customer_id = await self._customer(user_id)
        if (await self._stripe.read_subscription(customer_id)).status in _LIVE:
            raise AlreadySubscribed("You have a subscription. Change its plan instead.")
        return await self._stripe.checkout(customer_id, plan, user_id, self._back)

    async def portal(self, user_id: str) -> str:
        """Return the address where the user manages payment; raises NotSubscribed."""
        return await self._stripe.portal(await self._known_customer(user_id), self._back)

    async def change_plan(self, user_id: str, plan_key: str) -> None:
        """Up- or downgrade now; raises UnknownPlan and NotSubscribed."""
        plan = self._plan(plan_key)
        customer_id = await self._known_customer(user_id)
        state = await self._stripe.read_subscription(customer_id)
        if state.status not in _LIVE:
            raise NotSubscribed("There is no subscription. Choose a plan first.")
        await self._stripe.change_plan(state, plan)
        await self.sync(customer_id)

    async def refresh(self, user_id: str) -> None:
        """Read the user's subscription from Stripe now, as after coming back from paying."""
        async with self._db.session() as session:
            row = await queries.find_subscription(session, user_id=user_id)
        if row is not None:
            await self.sync(row.customer_id)

    async def receive(self, body: bytes, signature: str | None) -> str | None:
        """Deal with a webhook; returns the user it is about, None when it changes nothing.

        Raises WebhookRefused. When this raises StripeUnavailable, Stripe sends it again.
        """
        event = self._stripe.webhook(body, signature)
        user_id = None
        if event.customer_id is not None:
            user_id = await self.sync(event.customer_id, f"stripe:{event.id}")
        log.info("billing.webhook", webhook=event.id, kind=event.type, user_id=user_id)
        return user_id

    async def sync(self, customer_id: str, webhook: str | None = None) -> str | None:
        """Store what Stripe says now; returns the customer's user, None for a stranger.

        Does nothing if the webhook that asks for it was dealt with, and notes that it is.
        """
        async with self._db.session() as session:
            if webhook is not None and await queries.was_handled(session, webhook):
                return None
            begun = await queries.begin_sync(session, customer_id)
        if begun is None:
            return None
        user_id, number = begun
        values = asdict(await self._stripe.read_subscription(customer_id))
        values.pop("item_id")
        async with self._db.session() as session:
            await queries.finish_sync(session, customer_id, number, values)
            if webhook is not None:
                await queries.note_handled(session, webhook)
        self._entitlements.forget(user_id)
        return user_id

    async def forget_user(self, user_id: str) -> None:
        """End what the user pays for and delete their data at Stripe."""
        async with self._db.session() as session:
            row = await queries.find_subscription(session, user_id=user_id)
        if row is not None:
            await self._stripe.delete_customer(row.customer_id)
        self._entitlements.forget(user_id)

    def _plan(self, key: str) -> Plan:
        plan = next((plan for plan in self.plans if plan.key == key), None)
        if plan is None:
            raise UnknownPlan("There is no such plan.")
        return plan

    async def _customer(self, user_id: str) -> str:
        async with self._db.session() as session:
            row = await queries.find_subscription(session, user_id=user_id)
            user = await session.get(User, user_id)
        if row is not None:
            return row.customer_id
        if user is None:
            raise Unauthenticated("This account is gone.")
        made = await self._stripe.create_customer(user.id, user.email, user.name)
        async with self._db.session() as session:
            await queries.add_customer(session, user_id, made)
        self._entitlements.forget(user_id)
        return await self._known_customer(user_id)

    async def _known_customer(self, user_id: str) -> str:
        async with self._db.session() as session:
            row = await queries.find_subscription(session, user_id=user_id)
        if row is None:
            raise NotSubscribed("There is no subscription. Choose a plan first.")
        return row.customer_id
