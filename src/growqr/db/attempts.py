"""Counts of attempts, each in a window of time that begins with the first."""

from datetime import datetime

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.tables import Attempts
from growqr.db.upsert import insert_into


async def take_attempt(
    session: AsyncSession, key: str, limit: int, now: datetime, until: datetime
) -> bool:
    """Count one, if fewer than `limit` are counted; of those who race, none too many.

    `until` is when the count begins anew, if this is the first.
    """
    over = Attempts.until <= now
    taken = await session.scalar(
        insert_into(session, Attempts)
        .values(key=key, count=1, until=until)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((over, 1), else_=Attempts.count + 1),
                "until": case((over, until), else_=Attempts.until),
            },
            where=or_(over, Attempts.count < limit),
        )
        .returning(Attempts.count)
    )
    return taken is not None


async def counted_until(session: AsyncSession, key: str) -> datetime | None:
    """Return when this count begins anew."""
    return await session.scalar(select(Attempts.until).where(Attempts.key == key))


async def give_attempt_back(session: AsyncSession, key: str) -> None:
    """Count one less."""
    await session.execute(
        update(Attempts)
        .where(Attempts.key == key, Attempts.count > 0)
        .values(count=Attempts.count - 1)
    )


async def forget_attempts(session: AsyncSession, key: str) -> None:
    """Start again from none."""
    await session.execute(delete(Attempts).where(Attempts.key == key))


async def drop_old_attempts(session: AsyncSession, now: datetime, most: int) -> None:
    """Delete counts whose time is over, and of more than `most` those that end first.

    Rows that somebody changes at this moment are left for the next time.
    """
    beyond = select(Attempts.key).order_by(Attempts.until.desc()).offset(most)
    for old in (select(Attempts.key).where(Attempts.until <= now), beyond):
        await session.execute(
            delete(Attempts).where(Attempts.key.in_(old.with_for_update(skip_locked=True)))
        )
