"""Queries on accounts and refresh tokens."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.tables import RefreshToken, User


async def find_user_by_email(session: AsyncSession, email: str) -> User | None:
    """Return the account with this address, in lower case."""
    return (await session.scalars(select(User).filter_by(email=email))).one_or_none()


async def lock_owner(session: AsyncSession, token_hash: str) -> User | None:
    """Return the token's user, kept to this session where the database locks rows.

    Whoever ends all logins holds the same row, so that no new token comes to be beside that.
    """
    owned = select(RefreshToken.user_id).where(RefreshToken.token_hash == token_hash)
    found = await session.scalars(
        select(User).where(User.id == owned.scalar_subquery()).with_for_update()
    )
    return found.one_or_none()


async def use_refresh_token(session: AsyncSession, token_hash: str, now: datetime) -> None:
    """Mark the token as used, if it is not."""
    await session.execute(
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=now)
    )


async def revoke_family(session: AsyncSession, family_id: str, now: datetime) -> None:
    """Make every token of one login useless."""
    await session.execute(
        update(RefreshToken).where(RefreshToken.family_id == family_id).values(revoked_at=now)
    )


async def revoke_all(session: AsyncSession, user_id: str, now: datetime) -> None:
    """Make every refresh token of the user useless."""
    await session.execute(
        update(RefreshToken).where(RefreshToken.user_id == user_id).values(revoked_at=now)
    )


async def drop_expired_tokens(session: AsyncSession, user_id: str, now: datetime) -> None:
    """Delete the user's tokens that can't be used any more."""
    await session.execute(
        delete(RefreshToken).where(RefreshToken.user_id == user_id, RefreshToken.expires_at < now)
    )
