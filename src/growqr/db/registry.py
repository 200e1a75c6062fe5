"""Queries on the registry of actors. Every one that reads for a request names the owner."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.tables import ActorRow, Repo


async def find_actor(session: AsyncSession, user_id: str, **by: str) -> ActorRow | None:
    """Return the user's actor with these column values, such as `name="grow"`."""
    return (await session.scalars(select(ActorRow).filter_by(user_id=user_id, **by))).one_or_none()


async def list_actors(session: AsyncSession, user_id: str) -> Sequence[ActorRow]:
    """Return the user's actors, the Grow Agent first, then by name."""
    rows = await session.scalars(
        select(ActorRow)
        .filter_by(user_id=user_id)
        .order_by(ActorRow.parent_id.is_not(None), ActorRow.name)
    )
    return rows.all()


async def find_repo(session: AsyncSession, user_id: str, repo_id: str) -> Repo | None:
    """Return the user's repository of that id."""
    found = await session.scalars(select(Repo).filter_by(owner_id=user_id, id=repo_id))
    return found.one_or_none()


async def set_actor_status(session: AsyncSession, actor_id: str, status: str) -> None:
    """Record `running`, `stopped` or `suspended`."""
    await session.execute(update(ActorRow).where(ActorRow.id == actor_id).values(status=status))


async def touch_actor(session: AsyncSession, actor_id: str) -> None:
    """Record that something happened to the actor now."""
    now = datetime.now(UTC)
    await session.execute(
        update(ActorRow).where(ActorRow.id == actor_id).values(last_activity_at=now)
    )
