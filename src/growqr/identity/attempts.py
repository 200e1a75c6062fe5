"""A limit on how often something may be tried, counted in the database for all processes."""

import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from growqr.db import attempts as queries
from growqr.db.engine import Database
from growqr.errors import TooMany

MOST_ROWS = 100_000
"""Whoever makes up names must not fill the database: the counts that end first are dropped."""
_SWEEP_SECONDS = 60


class TooManyAttempts(TooMany):
    """Tried too often; `retry_after` is in seconds."""

    code = "too_many_attempts"


class AttemptLimit:
    """Allows `limit` attempts per key in `seconds` from the first one on.

    An attempt is taken before its outcome is known, or attempts at once would all pass; give
    it back, or forget all, when it was a good one.
    """

    def __init__(
        self,
        db: Database,
        what: str,
        limit: int,
        seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`what` keeps keys of different limits apart."""
        self._db = db
        self._what = what
        self._limit = limit
        self._time = timedelta(seconds=seconds)
        self._now = now
        self._sweep_at = 0.0

    async def take(self, key: str) -> None:
        """Count one attempt; raises TooManyAttempts, and counts nothing, when none is left."""
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_SECONDS
            await self.sweep()
        row, now = self._row(key), self._now()
        async with self._db.session() as session:
            if await queries.take_attempt(session, row, self._limit, now, now + self._time):
                return
            until = await queries.counted_until(session, row)
        wait = max(1, math.ceil(((until or now) - now).total_seconds()))
        raise TooManyAttempts(f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)

    async def give_back(self, key: str) -> None:
        """Count one attempt less."""
        async with self._db.session() as session:
            await queries.give_attempt_back(session, self._row(key))

    async def forget(self, key: str) -> None:
        """Start again from none, as after a success."""
        async with self._db.session() as session:
            await queries.forget_attempts(session, self._row(key))

    async def sweep(self) -> None:
        """Delete what no longer counts; `take` does it once a minute."""
        async with self._db.session() as session:
            await queries.drop_old_attempts(session, self._now(), MOST_ROWS)

    def _row(self, key: str) -> str:
        return hashlib.sha256(f"{self._what} {key}".encode()).hexdigest()
