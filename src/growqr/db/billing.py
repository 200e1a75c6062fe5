"""Queries on subscriptions, handled webhooks and usage."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.tables import ActorRow, Subscription, Usage, WebhookEvent
from growqr.db.upsert import insert_into

KEEP_WEBHOOKS = timedelta(days=30)
"""Stripe tries for 3 days, Svix for 28 hours."""
PAID = ("active", "trialing")
OWING = ("past_due", "unpaid")


async def find_subscription(session: AsyncSession, **by: str) -> Subscription | None:
    """Return the one with these column values, such as `customer_id`."""
    return (await session.scalars(select(Subscription).filter_by(**by))).one_or_none()


async def add_customer(session: AsyncSession, user_id: str, customer_id: str) -> None:
    """Note a user's customer id; the first one stays."""
    await session.execute(
        insert_into(session, Subscription)
        .values(
            user_id=user_id,
            customer_id=customer_id,
            status="none",
            cancel_at_period_end=False,
            sync_started=0,
            sync_done=0,
            updated_at=datetime.now(UTC),
        )
        .on_conflict_do_nothing()
    )


async def begin_sync(session: AsyncSession, customer_id: str) -> tuple[str, int] | None:
    """Number a reading that is about to begin, with its user; None for an unknown customer."""
    begun = await session.execute(
        update(Subscription)
        .where(Subscription.customer_id == customer_id)
        .values(sync_started=Subscription.sync_started + 1)
        .returning(Subscription.user_id, Subscription.sync_started)
    )
    row = begun.one_or_none()
    return (row[0], row[1]) if row else None


async def finish_sync(
    session: AsyncSession, customer_id: str, number: int, values: dict[str, Any]
) -> bool:
    """Store what reading `number` found, unless one that began later is stored already."""
    result = await session.execute(
        update(Subscription)
        .where(Subscription.customer_id == customer_id, Subscription.sync_done < number)
        .values(**values, sync_done=number, updated_at=datetime.now(UTC))
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def doubtful(session: AsyncSession, now: datetime, limit: int) -> Sequence[str]:
    """Return customers whose paid time ended an hour ago although no webhook said what then."""
    rows = await session.scalars(
        select(Subscription.customer_id)
        .where(
            Subscription.status.in_(PAID),
            Subscription.current_period_end < now - timedelta(hours=1),
            Subscription.updated_at < now - timedelta(hours=1),
        )
        .limit(limit)
    )
    return rows.all()


async def maybe_out_of_step(
    session: AsyncSession, owing_before: datetime, limit: int
) -> Sequence[str]:
    """Return users with agents that may run but maybe should not, or the other way round.

    `owing_before`: an invoice that old is beyond its grace.
    """
    runs = ActorRow.status == "running"
    waits = ActorRow.status == "suspended"
    owes = Subscription.status.in_(OWING)
    late = Subscription.unpaid_since < owing_before
    rows = await session.scalars(
        select(ActorRow.user_id)
        .outerjoin(Subscription, Subscription.user_id == ActorRow.user_id)
        .where(
            or_(
                runs & Subscription.user_id.is_(None),
                runs & Subscription.status.not_in(PAID + OWING),
                runs & owes & late,
                waits & Subscription.status.in_(PAID),
                waits & owes & ~late,
            )
        )
        .distinct()
        .limit(limit)
    )
    return rows.all()


async def was_handled(session: AsyncSession, event_id: str) -> bool:
    """Whether this webhook has been dealt with."""
    return await session.get(WebhookEvent, event_id) is not None


async def note_handled(session: AsyncSession, event_id: str) -> None:
    """Remember a webhook; a repeat is no error."""
    await session.execute(
        insert_into(session, WebhookEvent)
        .values(id=event_id, handled_at=datetime.now(UTC))
        .on_conflict_do_nothing()
    )


async def drop_old_webhooks(session: AsyncSession, now: datetime) -> None:
    """Forget webhooks that nobody will send again."""
    await session.execute(delete(WebhookEvent).where(WebhookEvent.handled_at < now - KEEP_WEBHOOKS))


async def add_usage(session: AsyncSession, user_id: str, day: date, **amounts: int) -> None:
    """Add to the counts of a day; `amounts` by column."""
    counts = {"messages": 0, "model_tokens": 0, "workspace_seconds": 0} | amounts
    await session.execute(
        insert_into(session, Usage)
        .values(user_id=user_id, day=day, **counts)
        .on_conflict_do_update(
            index_elements=["user_id", "day"],
            set_={name: getattr(Usage, name) + amount for name, amount in amounts.items()},
        )
    )


async def take_message(session: AsyncSession, user_id: str, day: date, limit: int | None) -> bool:
    """Count one message if the day's count is below `limit`; of those who race, none too many."""
    if limit is None:
        await add_usage(session, user_id, day, messages=1)
        return True
    await add_usage(session, user_id, day, messages=0)
    result = await session.execute(
        update(Usage)
        .where(Usage.user_id == user_id, Usage.day == day, Usage.messages < limit)
        .values(messages=Usage.messages + 1)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def usage_between(
    session: AsyncSession, user_id: str, first: date, last: date
) -> Sequence[Usage]:
    """Return the user's days on which anything was used, oldest first."""
    rows = await session.scalars(
        select(Usage)
        .where(Usage.user_id == user_id, Usage.day >= first, Usage.day <= last)
        .order_by(Usage.day)
    )
    return rows.all()
