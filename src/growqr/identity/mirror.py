"""Our copy of users whose accounts are somewhere else."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from growqr.db.accounts import find_user_by_email
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

    async def keep(self, clerk_id: str, given: Mirrored) -> Principal:
        """Make or update the copy; safe to repeat and to race.

        A local account with the same address becomes this user's if Clerk has verified the
        address. An address that stays somebody else's is not taken over.
        """
        try:
            return await self._keep(clerk_id, given)
        except IntegrityError:  # another process made it meanwhile
            return await self._keep(clerk_id, given)

    async def _keep(self, clerk_id: str, given: Mirrored) -> Principal:
        async with self._db.session() as session:
            user = (await session.scalars(select(User).filter_by(clerk_id=clerk_id))).one_or_none()
            owner = await find_user_by_email(session, given.email) if given.email else None
            if user is None and owner and owner.clerk_id is None and given.email_verified:
                user = owner
                user.clerk_id = clerk_id
                user.password_hash = None
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


def _no_address(clerk_id: str) -> str:
    return f"{clerk_id.lower()}@clerk.invalid"
