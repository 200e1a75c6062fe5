"""Durable alarms: actions an actor will run later, kept in its database."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyrivet import _wire
from pyrivet._database import Database
from pyrivet.errors import ActionError

log = logging.getLogger("pyrivet")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS pyrivet_schedule "
    "(id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, action TEXT NOT NULL, args TEXT NOT NULL)"
)
LOAD = "SELECT id, at_ms, action, args FROM pyrivet_schedule"
_MAX_ENTRIES = 10_000
# Timers of asyncio may be short by a clock tick, and time may be set back.
_LONGEST_WAIT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    at_ms: int
    action: str
    args: str


class Schedule:
    """An actor's alarms. They outlive sleep and crashes and wake the actor when they are due.

    An alarm is removed after its action has ended, also with an error. If the worker dies while
    the action runs, it runs again: at least once, never skipped.
    """

    def __init__(
        self,
        db: Database,
        *,
        known: Callable[[str], bool],
        run: Callable[[str, list[Any]], Awaitable[None]],
        changed: Callable[[], None],
        due: Callable[[], None],
    ) -> None:
        self._db = db
        self._known = known
        self._run = run
        self._changed = changed
        self._due = due
        self._entries: dict[str, _Entry] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def at(self, when: datetime, action: str, *args: Any) -> str:
        """Run an action at a time, at once if it is past; returns an id for `cancel`.

        Durable when it returns. Raises ValueError for an unknown action or a time without zone.
        """
        if not self._known(action):
            raise ValueError(f"no action {action!r}")
        if when.tzinfo is None:
            raise ValueError("the time needs a time zone")
        if len(self._entries) >= _MAX_ENTRIES:
            raise ActionError("schedule_full", f"at most {_MAX_ENTRIES} alarms per actor")
        entry = _Entry(
            uuid.uuid4().hex, round(when.timestamp() * 1000), action, _wire.dump(list(args))
        )
        await self._db.execute(
            "INSERT INTO pyrivet_schedule (id, at_ms, action, args) VALUES (?, ?, ?, ?)",
            entry.id,
            entry.at_ms,
            entry.action,
            entry.args,
        )
        self._entries[entry.id] = entry
        self._arm()
        self._changed()
        return entry.id

    async def after(self, delay: timedelta, action: str, *args: Any) -> str:
        """Run an action after a delay; see `at`."""
        return await self.at(datetime.now(UTC) + delay, action, *args)

    async def cancel(self, alarm_id: str) -> bool:
        """Remove an alarm; returns whether it was still there."""
        if self._entries.pop(alarm_id, None) is None:
            return False
        await self._db.execute("DELETE FROM pyrivet_schedule WHERE id = ?", alarm_id)
        self._arm()
        self._changed()
        return True

    # What follows is for this package only.

    def load(self, rows: list[dict[str, Any]]) -> None:
        """Take the rows of `LOAD`."""
        self._entries = {row["id"]: _Entry(**row) for row in rows}

    def resume(self) -> None:
        """Start to watch the clock."""
        self._arm()

    def pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def next_ms(self) -> int | None:
        """Return when the next alarm is due, in milliseconds since the epoch."""
        return min((entry.at_ms for entry in self._entries.values()), default=None)

    async def run_due(self) -> None:
        """Run what is due, in order, and remove it."""
        try:
            while True:
                now = time.time() * 1000
                due = [entry for entry in self._entries.values() if entry.at_ms <= now]
                if not due:
                    return
                entry = min(due, key=lambda entry: entry.at_ms)
                await self._run_one(entry)
                await self.cancel(entry.id)
        finally:
            self._arm()

    async def _run_one(self, entry: _Entry) -> None:
        try:
            await self._run(entry.action, _wire.revive(json.loads(entry.args)))
        except Exception:
            log.exception("actor.alarm_failed", extra={"action": entry.action, "alarm": entry.id})

    def _arm(self) -> None:
        self.pause()
        next_ms = self.next_ms()
        if next_ms is None:
            return
        delay = max(0.0, next_ms / 1000 - time.time())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(delay, _LONGEST_WAIT_SECONDS), self._due)
