"""Agents in step with the plan: suspended when it ends, back where they were when it is paid.

Suspending is stopping with a memory of why: steps in progress finish or pause in their
journal, workspaces stop, reading stays possible. Only what billing suspended comes back by
itself; what the user stopped stays stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from weakref import WeakValueDictionary

import structlog

from growqr.api.agents_gateway import AgentGateway
from growqr.billing.entitlement import Entitlement, Entitlements
from growqr.billing.subscriptions import Subscriptions
from growqr.db import billing as queries
from growqr.db.engine import Database
from growqr.db.registry import find_actor, list_actors, set_actor_status
from growqr.db.tables import ActorRow
from growqr.errors import GrowError
from growqr.ids import derived_id

log = structlog.get_logger(__name__)

_EVERY = timedelta(minutes=1)
_PER_SWEEP = 200
_GONE_BAD = ("past_due", "unpaid")


class Suspensions:
    """Brings agents in step with what their user may do. All calls bear repeats and races."""

    def __init__(
        self,
        db: Database,
        agents: AgentGateway,
        entitlements: Entitlements,
        subscriptions: Subscriptions,
        make_agents: Callable[[str], Awaitable[object]],
    ) -> None:
        self._db = db
        self._agents = agents
        self._entitlements = entitlements
        self._subscriptions = subscriptions
        self._make_agents = make_agents
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def align(self, user_id: str) -> None:
        """Start, suspend or resume the user's agents as the plan says, and tell the user.

        A payment gives a new user their agents. Raises AgentUnavailable; the next sweep, at
        most a minute later, goes on where this stopped.
        """
        async with self._db.session() as session:
            grow = await find_actor(session, user_id, name="grow")
        if grow is not None:
            await self.settle(user_id)
        elif (await self._entitlements.check(user_id)).entitled:
            await self._make_agents(user_id)

    async def settle(self, user_id: str) -> None:
        """`align` for a user who has agents."""
        lock = self._locks.setdefault(user_id, asyncio.Lock())
        async with lock:
            entitlement = await self._entitlements.check(user_id)
            async with self._db.session() as session:
                grow = await find_actor(session, user_id, name="grow")
            if grow is None:
                return
            before = "suspended" if entitlement.entitled else "running"
            async with self._db.session() as session:
                rows = [row for row in await list_actors(session, user_id) if row.status == before]
            # The registry changes last: what is interrupted before that is done again.
            await self._set_all(rows, entitlement.entitled)
            await self._tell(user_id, grow, entitlement, changing=bool(rows))
            after = "running" if entitlement.entitled else "suspended"
            async with self._db.session() as session:
                for row in rows:
                    await set_actor_status(session, row.id, after)

    async def _set_all(self, rows: list[ActorRow], running: bool) -> None:
        # The Grow Agent goes last and comes first: it hears of what the others pause.
        for row in rows if running else reversed(rows):
            await self._agents.set_running(row, running)

    async def _tell(
        self, user_id: str, grow: ActorRow, entitlement: Entitlement, *, changing: bool
    ) -> None:
        words = _words(entitlement, changing)
        if words is None:
            return
        async with self._db.session() as session:
            row = await queries.find_subscription(session, user_id=user_id)
        # The same for each repeat of one happening, another for the next of its kind.
        about = (row.subscription_id, row.unpaid_since, row.current_period_end) if row else ()
        parts = [entitlement.status, entitlement.entitled, changing, *about]
        await self._agents.notice(
            grow,
            message_id=derived_id("msg", grow.id, "billing", *(str(part) for part in parts)),
            text=words,
            billing={
                "plan": entitlement.plan,
                "status": entitlement.status,
                "entitled": entitlement.entitled,
            },
        )

    async def sweep(self) -> None:
        """Do what no webhook announces: grace that runs out, and webhooks that got lost."""
        now = self._entitlements.now()
        async with self._db.session() as session:
            await queries.drop_old_webhooks(session, now)
            doubtful = await queries.doubtful(session, now, _PER_SWEEP)
        for customer_id in doubtful:
            await self._try(self._subscriptions.sync(customer_id), customer_id=customer_id)
        async with self._db.session() as session:
            owing_before = now - self._entitlements.grace
            users = await queries.maybe_out_of_step(session, owing_before, _PER_SWEEP)
        for user_id in users:
            self._entitlements.forget(user_id)
            await self._try(self.align(user_id), user_id=user_id)

    async def run(self) -> None:
        """Sweep every minute until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:  # without it, no grace would end until the next start
                log.exception("billing.sweep_failed")
            await asyncio.sleep(_EVERY.total_seconds())

    async def _try(self, step: Awaitable[object], **about: str) -> None:
        try:
            await step
        except GrowError as error:
            log.warning("billing.step_failed", error=str(error), **about)

    async def try_align(self, user_id: str) -> None:
        """`align`, for after an answer: what fails is logged, and the sweep tries again."""
        await self._try(self.align(user_id), user_id=user_id)


def _words(entitlement: Entitlement, changing: bool) -> str | None:
    """What the user is told; None when there is no news."""
    if not entitlement.entitled:
        return (
            f"{entitlement.reason} Until then your agents rest: work in progress is saved, and "
            "you can read everything. [Go to billing](/app/settings)."
            if changing
            else None
        )
    if entitlement.status in _GONE_BAD:
        return f"{entitlement.reason} [Go to billing](/app/settings)."
    if changing:
        return "Thank you. Your agents go on where they were."
    return None
