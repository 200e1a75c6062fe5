"""Durable alarms: actions an actor will run later, kept in its database."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyrivet import _wire
from pyrivet._database import Database
from pyrivet._recurrence import Cron, Interval, Recurrence
from pyrivet.errors import ActionError

log = logging.getLogger("pyrivet")

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS pyrivet_schedule "
    "(id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, action TEXT NOT NULL, args TEXT NOT NULL)"
)
# A table of its own, as actors have the one above since before alarms could repeat.
REPEATS = (
    "CREATE TABLE IF NOT EXISTS pyrivet_recurrence "
    "(id TEXT PRIMARY KEY, every_ms INTEGER, cron TEXT, zone TEXT) WITHOUT ROWID"
)
LOAD = (
    "SELECT id, at_ms, action, args, every_ms, cron, zone "
    "FROM pyrivet_schedule LEFT JOIN pyrivet_recurrence USING (id)"
)
_INSERT = "INSERT OR REPLACE INTO pyrivet_schedule (id, at_ms, action, args) VALUES (?, ?, ?, ?)"
_INSERT_RECURRENCE = "INSERT OR REPLACE INTO pyrivet_recurrence VALUES (?, ?, ?, ?)"
_DELETE_RECURRENCE = "DELETE FROM pyrivet_recurrence WHERE id = ?"
ON_ALARM = ""
"""Stands for `Actor.on_alarm` in place of an action's name."""
_ALARM_ID = "pyrivet:on_alarm"
_MAX_ENTRIES = 10_000
# Timers of asyncio may be short by a clock tick, and time may be set back.
_LONGEST_WAIT_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, as `Schedule.get` and `Schedule.list` tell it."""

    id: str
    at: datetime
    """When it is due next."""
    action: str
    args: Sequence[Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    at_ms: int
    action: str
    args: str
    recurrence: Recurrence | None = None

    def same_task(self, other: "_Entry") -> bool:
        """Whether it is the same but for when it is due next."""
        return replace(self, at_ms=0) == replace(other, at_ms=0)


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
        run: Callable[[str, Any], Awaitable[None]],
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
        return await self._add(self._entry(uuid.uuid4().hex, when, action, args))

    async def after(self, delay: timedelta, action: str, *args: Any) -> str:
        """Run an action after a delay; see `at`."""
        return await self.at(datetime.now(UTC) + delay, action, *args)

    async def every(
        self,
        interval: timedelta,
        action: str,
        *args: Any,
        id: str,  # noqa: A002 - the word of the schedule
        start: datetime | None = None,
    ) -> str:
        """Run an action again and again, from `start` on: by default one interval from now.

        While the alarm `id` stays the same, nothing changes: safe to say in each `on_start`. With
        another interval, action, arguments or `start` it is replaced. Of times that have been
        missed, only the last is made up for. Raises as `at` does; ValueError for less than 1 ms.
        """
        every_ms = round(interval / timedelta(milliseconds=1))
        if every_ms < 1:
            raise ValueError("the interval is too short")
        entry = self._entry(
            id, start or datetime.now(UTC) + interval, action, args, Interval(every_ms)
        )
        known = self._entries.get(id)
        if known is None or not known.same_task(entry):
            return await self._add(entry)
        if start is not None and (known.at_ms - entry.at_ms) % every_ms:
            return await self._add(entry)
        return id

    async def cron(
        self,
        expression: str,
        action: str,
        *args: Any,
        id: str,  # noqa: A002 - the word of the schedule
        timezone: str = "UTC",
    ) -> str:
        """Run an action at the times of a cron expression, such as `*/5 * * * *`.

        It has five fields (minute, hour, day, month, weekday), or six with seconds in front, as
        Debian's cron reads them; `timezone` is a name such as `Europe/Berlin`. Where daylight
        saving skips a time of day, the alarm is due right after; where it repeats one, the first
        time counts.

        While the alarm `id` stays the same, nothing changes: safe to say in each `on_start`. With
        another expression, zone, action or arguments it is replaced. However many times have been
        missed, they are made up for once. Raises as `at` does; ValueError for an expression or
        zone that is none.
        """
        recurrence = Cron(expression, timezone)
        entry = self._entry(id, recurrence.first(datetime.now(UTC)), action, args, recurrence)
        known = self._entries.get(id)
        if known is not None and known.same_task(entry):
            return id
        return await self._add(entry)

    async def set_alarm(self, when: datetime | None) -> None:
        """Run `on_alarm` at a time; an actor has one such alarm, None clears it. See `at`."""
        if when is None:
            await self.cancel(_ALARM_ID)
        else:
            await self._add(self._entry(_ALARM_ID, when, ON_ALARM, ()))

    def get(self, alarm_id: str) -> Alarm | None:
        """Return an alarm; None if it has run, was cancelled or never was."""
        entry = self._entries.get(alarm_id)
        return None if entry is None or entry.action == ON_ALARM else _told(entry)

    def list(self) -> Sequence[Alarm]:
        """Return what `at`, `after`, `every` and `cron` have set, the next one first."""
        entries = [entry for entry in self._entries.values() if entry.action != ON_ALARM]
        return [_told(entry) for entry in sorted(entries, key=lambda entry: entry.at_ms)]

    async def cancel(self, alarm_id: str) -> bool:
        """Remove an alarm; returns whether it was still there."""
        if self._entries.pop(alarm_id, None) is None:
            return False
        await self._db.batch(
            [
                ("DELETE FROM pyrivet_schedule WHERE id = ?", (alarm_id,)),
                (_DELETE_RECURRENCE, (alarm_id,)),
            ]
        )
        self._arm()
        self._changed()
        return True

    # What follows is for this package only.

    def load(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take the rows of `LOAD`."""
        self._entries = {row["id"]: _read(row) for row in rows}

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
                await self._done(entry)
        finally:
            self._arm()

    async def _run_one(self, entry: _Entry) -> None:
        try:
            await self._run(entry.action, _wire.revive(json.loads(entry.args)))
        except Exception:
            log.exception("actor.alarm_failed", extra={"action": entry.action, "alarm": entry.id})

    def _entry(
        self,
        alarm_id: str,
        when: datetime,
        action: str,
        args: tuple[Any, ...],
        recurrence: Recurrence | None = None,
    ) -> _Entry:
        if action != ON_ALARM and not self._known(action):
            raise ValueError(f"no action {action!r}")
        if when.tzinfo is None:
            raise ValueError("the time needs a time zone")
        at_ms = round(when.timestamp() * 1000)
        return _Entry(alarm_id, at_ms, action, _wire.dump([*args]), recurrence)

    async def _add(self, entry: _Entry) -> str:
        if entry.id not in self._entries and len(self._entries) >= _MAX_ENTRIES:
            raise ActionError("schedule_full", f"at most {_MAX_ENTRIES} alarms per actor")
        row = (entry.id, entry.at_ms, entry.action, entry.args)
        await self._db.batch([(_INSERT, row), _recurrence_statement(entry)])
        self._entries[entry.id] = entry
        self._arm()
        self._changed()
        return entry.id

    async def _done(self, entry: _Entry) -> None:
        """Remove an alarm that has run, or move it to its next time."""
        if self._entries.get(entry.id) is not entry:
            return  # its action has cancelled it or set it anew
        recurrence = entry.recurrence
        next_ms = None if recurrence is None else recurrence.next_ms(entry.at_ms, _now_ms())
        if next_ms is None:
            await self.cancel(entry.id)
            return
        later = replace(entry, at_ms=next_ms)
        self._entries[entry.id] = later
        await self._db.execute(
            "UPDATE pyrivet_schedule SET at_ms = ? WHERE id = ?", later.at_ms, later.id
        )
        self._changed()

    def _arm(self) -> None:
        self.pause()
        next_ms = self.next_ms()
        if next_ms is None:
            return
        delay = max(0.0, next_ms / 1000 - time.time())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(delay, _LONGEST_WAIT_SECONDS), self._due)


def _recurrence_statement(entry: _Entry) -> tuple[str, tuple[Any, ...]]:
    match entry.recurrence:
        case Interval(every_ms):
            return _INSERT_RECURRENCE, (entry.id, every_ms, None, None)
        case Cron(expression, zone):
            return _INSERT_RECURRENCE, (entry.id, None, expression, zone)
    return _DELETE_RECURRENCE, (entry.id,)


def _read(row: Mapping[str, Any]) -> _Entry:
    recurrence: Recurrence | None = None
    if row["every_ms"] is not None:
        recurrence = Interval(row["every_ms"])
    elif row["cron"] is not None:
        recurrence = Cron(row["cron"], row["zone"])
    return _Entry(row["id"], row["at_ms"], row["action"], row["args"], recurrence)


def _told(entry: _Entry) -> Alarm:
    at = datetime.fromtimestamp(entry.at_ms / 1000, UTC)
    return Alarm(entry.id, at, entry.action, _wire.revive(json.loads(entry.args)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
