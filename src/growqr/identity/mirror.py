"""Our copy of users whose accounts are somewhere else."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.accounts import find_user_by_email, revoke_all
from growqr.db.billing import note_handled, was_handled
from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.identity.principal import Principal
from growqr.ids import new_id


@dataclass(frozen=True)
class Mirrored:
    """What we keep of a user."""

    email: str
    email_verified: bool
    name: str


class Mirror:
    """Users by their id at Clerk."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, clerk_id: str) -> Principal | None:
        """Return the mirrored user."""
        async with self._db.session() as session:
            user = (await session.scalars(select(User).filter_by(clerk_id=clerk_id))).one_or_none()
        return Principal(user.id, user.email, user.name) if user else None

    async def joins(self, clerk_id: str, given: Mirrored) -> str | None:
        """Return the local account that `keep` would make this user's."""
        if await self.find(clerk_id) is not None:
            return None
        async with self._db.session() as session:
            owner = await _joined(session, given)
            return owner.id if owner else None

    async def keep(self, clerk_id: str, given: Mirrored) -> Principal:
        """Make or update the copy; safe to repeat and to race.

        A local account with the same address becomes this user's if Clerk has verified the
        address, and its logins end: who made it need not be who has the address. An address that
        stays somebody else's is not taken over.
        """
        try:
            return await self._keep(clerk_id, given)
        except IntegrityError:  # another process made it meanwhile
            return await self._keep(clerk_id, given)

    async def _keep(self, clerk_id: str, given: Mirrored) -> Principal:
        async with self._db.session() as session:
            user = (await session.scalars(select(User).filter_by(clerk_id=clerk_id))).one_or_none()
            if user is None and (user := await _joined(session, given)) is not None:
                user.clerk_id = clerk_id
                user.password_hash = None
                await revoke_all(session, user.id, datetime.now(UTC))
            owner = await find_user_by_email(session, given.email) if given.email else None
            free = bool(given.email) and (owner is None or owner is user)
            if user is None:
                user = User(
                    id=new_id("usr"),
                    email=given.email if free else _no_address(clerk_id),
                    name=given.name or "You",
                    clerk_id=clerk_id,
                )
                session.add(user)
            else:
                user.email = given.email if free else user.email
                user.name = given.name or user.name
            await session.flush()
            return Principal(user.id, user.email, user.name)

    async def clerk_id_of(self, user_id: str) -> str | None:
        """Return the id at Clerk of a mirrored user."""
        async with self._db.session() as session:
            user = await session.get(User, user_id)
        return user.clerk_id if user else None

    async def is_gone(self, clerk_id: str) -> bool:
        """Whether the account was deleted: a token from before must not bring it back."""
        async with self._db.session() as session:
            return await was_handled(session, f"clerk-gone:{clerk_id}")

    async def note_gone(self, clerk_id: str) -> None:
        """Remember that the account was deleted."""
        async with self._db.session() as session:
            await note_handled(session, f"clerk-gone:{clerk_id}")


async def _joined(session: AsyncSession, given: Mirrored) -> User | None:
    """Return the local account that a new user with this address takes over."""
    if not given.email or not given.email_verified:
        return None
    owner = await find_user_by_email(session, given.email)
    return owner if owner is not None and owner.clerk_id is None else None


def _no_address(clerk_id: str) -> str:
    return f"{clerk_id.lower()}@clerk.invalid"
