"""What people use, counted per user and day (UTC)."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.exc import IntegrityError

from growqr.db.billing import add_usage, take_message, usage_between
from growqr.db.engine import Database


@dataclass(frozen=True)
class DayUsage:
    """One user's use on one day."""

    day: date
    messages: int = 0
    model_tokens: int = 0
    workspace_seconds: int = 0


class UsageLog:
    """Counts use in the database; holds nothing itself."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, user_id: str, *, model_tokens: int = 0, workspace_seconds: int = 0) -> None:
        """Count what an agent used now; of a user who is gone, nothing."""
        if not (model_tokens or workspace_seconds):
            return
        with suppress(IntegrityError):
            async with self._db.session() as session:
                await add_usage(
                    session,
                    user_id,
                    today(),
                    model_tokens=model_tokens,
                    workspace_seconds=workspace_seconds,
                )

    async def take_message(self, user_id: str, limit: int | None) -> bool:
        """Count one message; False, and nothing counted, when `limit` a day are used up."""
        async with self._db.session() as session:
            return await take_message(session, user_id, today(), limit)

    async def give_message_back(self, user_id: str) -> None:
        """Undo `take_message`: the message was not new, or not accepted."""
        async with self._db.session() as session:
            await add_usage(session, user_id, today(), messages=-1)

    async def on(self, user_id: str, day: date) -> DayUsage:
        """Return the use on one day."""
        return (await self.days(user_id, day, day))[0]

    async def days(self, user_id: str, first: date, last: date) -> list[DayUsage]:
        """Return every day from `first` to `last`, days without use too."""
        async with self._db.session() as session:
            rows = {row.day: row for row in await usage_between(session, user_id, first, last)}
        return [
            DayUsage(
                day,
                rows[day].messages,
                rows[day].model_tokens,
                rows[day].workspace_seconds,
            )
            if day in rows
            else DayUsage(day)
            for day in (first + timedelta(n) for n in range((last - first).days + 1))
        ]


def today() -> date:
    """Return the day that counts now."""
    return datetime.now(UTC).date()
