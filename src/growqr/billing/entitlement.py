"""What a user's plan allows now."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from growqr.billing.usage import UsageLog, today
from growqr.db.billing import OWING, PAID, find_subscription
from growqr.db.engine import Database
from growqr.db.tables import Subscription
from growqr.errors import EntitlementRequired
from growqr.settings import BillingSettings, Plan

_CACHE_SECONDS = 2.0
"""How long another api process may miss a payment; the one that hears of it knows at once."""
_CACHE_USERS = 10_000


class PlanLimitReached(EntitlementRequired):
    """The plan allows no more of this today, or not this agent at all."""

    code = "plan_limit"
    title = "Your plan's limit is reached"


@dataclass(frozen=True)
class Entitlement:
    """Whether the user's agents may run, and under which plan."""

    entitled: bool
    plan: str
    status: str
    """As a subscription's: `active`, `past_due`, `canceled`, …; `none` without one."""
    reason: str
    """In words for the user."""
    limits: Plan | None = None
    """The bought plan with its limits; None: no limits."""
    grace_until: datetime | None = None
    """With a failed payment: when the agents will be suspended."""


_SELF_HOSTED = Entitlement(True, "self-hosted", "active", "Self-hosted, no billing")


class Entitlements:
    """Answers what a user may do; without a billing provider everyone may run agents.

    Asks only the database, never the network, and keeps each answer for two seconds.
    """

    def __init__(
        self,
        settings: BillingSettings,
        db: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.provider = settings.provider
        self.grace = timedelta(days=settings.grace_days)
        self.now = now
        self.usage = UsageLog(db)
        self._plans = {plan.price: plan for plan in settings.plans}
        self._db = db
        self._known: OrderedDict[str, tuple[float, Subscription | None]] = OrderedDict()

    async def check(self, user_id: str) -> Entitlement:
        """Return what the user may do now."""
        if self.provider == "none":
            return _SELF_HOSTED
        return self._judge(await self._subscription(user_id))

    async def require(self, user_id: str, agent: str | None = None) -> Entitlement:
        """Return the entitlement; raises EntitlementRequired when agents may not run.

        With `agent`, a name, also PlanLimitReached when the plan does not have that agent or
        today's model tokens are used up.
        """
        entitlement = await self.check(user_id)
        if not entitlement.entitled:
            raise EntitlementRequired(entitlement.reason, plan=entitlement.plan)
        plan = entitlement.limits
        if agent is None or plan is None:
            return entitlement
        require_agent(entitlement, agent)
        if plan.model_tokens_per_day is not None:
            used = (await self.usage.on(user_id, today())).model_tokens
            if used >= plan.model_tokens_per_day:
                raise _used_up(plan, "model_tokens_per_day", plan.model_tokens_per_day)
        return entitlement

    async def running_workspaces(self, user_id: str) -> int | None:
        """Return how many workspaces may run at once by the user's plan; None: as many as fit.

        Raises EntitlementRequired when none may.
        """
        plan = (await self.require(user_id)).limits
        return plan.running_workspaces if plan else None

    async def take_message(self, user_id: str, entitlement: Entitlement) -> None:
        """Count a message; raises PlanLimitReached when today's are used up."""
        limit = entitlement.limits.messages_per_day if entitlement.limits else None
        if not await self.usage.take_message(user_id, limit):
            assert entitlement.limits is not None
            raise _used_up(entitlement.limits, "messages_per_day", limit)

    def forget(self, user_id: str) -> None:
        """Ask the database anew the next time: something has changed."""
        self._known.pop(user_id, None)

    async def _subscription(self, user_id: str) -> Subscription | None:
        kept = self._known.get(user_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        until = time.monotonic() + _CACHE_SECONDS
        async with self._db.session() as session:
            row = await find_subscription(session, user_id=user_id)
        self._known[user_id] = (until, row)
        self._known.move_to_end(user_id)
        if len(self._known) > _CACHE_USERS:
            self._known.popitem(last=False)
        return row

    def _judge(self, row: Subscription | None) -> Entitlement:
        if row is None or row.status == "none":
            return Entitlement(False, "none", "none", "Choose a plan to start your agents.")
        plan = self._plans.get(row.price_id or "")
        if plan is None:
            # A price taken out of the settings is still paid for: people keep what they bought.
            name, key = "Your plan", "unknown"
        else:
            name, key = plan.name, plan.key
        if row.status in PAID:
            return Entitlement(True, key, row.status, _good_words(name, row), plan)
        if row.status in OWING:
            until = (row.unpaid_since or row.updated_at) + self.grace
            if self.now() < until:
                words = f"A payment failed. Your agents go on until {until:%Y-%m-%d}. Please pay."
                return Entitlement(True, key, row.status, words, plan, until)
            words = "A payment failed, and the time to make up for it has passed. Please pay."
            return Entitlement(False, key, row.status, words, plan, until)
        words = {
            "canceled": f"{name} has ended. Choose a plan to go on.",
            "paused": f"{name} is paused. Add a way to pay to go on.",
            "incomplete": "The first payment is not complete.",
        }.get(row.status, "Choose a plan to start your agents.")
        return Entitlement(False, key, row.status, words, plan)


def require_agent(entitlement: Entitlement, agent: str) -> None:
    """Raise PlanLimitReached when the plan does not have the agent."""
    plan = entitlement.limits
    if plan is not None and plan.agents is not None and agent not in plan.agents:
        raise PlanLimitReached(
            f"The plan {plan.name} does not include the {agent} agent.",
            plan=plan.key,
            limit="agents",
        )


def _good_words(name: str, row: Subscription) -> str:
    ends = row.current_period_end
    if row.cancel_at_period_end and ends:
        return f"{name} ends on {ends:%Y-%m-%d}."
    if row.status == "trialing" and row.trial_end:
        return f"{name}, on trial until {row.trial_end:%Y-%m-%d}."
    return f"{name} is active."


def _used_up(plan: Plan, limit: str, most: int | None) -> PlanLimitReached:
    what = limit.removesuffix("_per_day").replace("_", " ")
    return PlanLimitReached(
        f"The plan {plan.name} allows {most} {what} a day. Tomorrow (UTC) there are new ones.",
        plan=plan.key,
        limit=limit,
    )
