"""The numbered story of one agent: every state change and its events in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pyrivet import Actor

from growqr.events import Event, EventType, now

TASK_ID = "json_extract(json, '$.task_id')"
"""What to ask `events` by for those of one task, so that its index serves."""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_task ON events ({TASK_ID}) WHERE {TASK_ID} IS NOT NULL;
"""


class Change:
    """Statements and events that become durable together; made by `EventLog.change`."""

    def __init__(self, *, actor_id: str, channel_id: str, last_seq: int) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        self.events: list[Event] = []
        self.callbacks: list[Callable[[], object]] = []
        self._actor_id = actor_id
        self._channel_id = channel_id
        self._last_seq = last_seq

    def execute(self, sql: str, *params: Any) -> None:
        """Add one statement to the transaction."""
        self.statements.append((sql, params))

    def emit(
        self,
        kind: EventType,
        data: dict[str, Any],
        *,
        task_id: str | None = None,
        at: datetime | None = None,
        actor_id: str | None = None,
        channel_id: str | None = None,
        **extra: Any,
    ) -> Event:
        """Add an event and return it with its final `seq`."""
        event = Event(
            seq=self.next_seq,
            type=kind,
            at=at or now(),
            actor_id=actor_id or self._actor_id,
            channel_id=channel_id or self._channel_id,
            task_id=task_id,
            data=data,
            **extra,
        )
        self._last_seq += 1
        self.events.append(event)
        self.execute(
            "INSERT INTO events (seq, json) VALUES (?, ?)", event.seq, event.model_dump_json()
        )
        return event

    @property
    def next_seq(self) -> int:
        """The number that the next event will get."""
        return self._last_seq + 1

    def then(self, callback: Callable[[], object]) -> None:
        """Run `callback` right after the commit, before anyone hears of the events.

        The copy in memory is changed this way: what was not written never shows.
        """
        self.callbacks.append(callback)


class EventLog:
    """Writes and reads an actor's events; `seq` has no gaps and never repeats.

    Changes run one at a time. When the fate of a write is unknown (it failed, or whoever
    waited for it was cancelled), `reload` is awaited before the next change, so that the copy
    in memory is what the database holds.
    """

    def __init__(
        self,
        actor: Actor,
        *,
        actor_id: str,
        channel_id: str,
        reload: Callable[[], Awaitable[None]],
        before_commit: Callable[[Change], object],
        heard: Callable[[list[Event]], object],
    ) -> None:
        self.last_seq = 0
        self._actor = actor
        self._actor_id = actor_id
        self._channel_id = channel_id
        self._reload = reload
        self._before_commit = before_commit
        self._heard = heard
        self._lock = asyncio.Lock()
        self._stale = False

    async def load(self) -> None:
        """Read the last number; call it before the first change."""
        rows = await self._actor.db.query("SELECT coalesce(max(seq), 0) AS seq FROM events")
        self.last_seq = int(rows[0]["seq"])
        self._stale = False

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
        """Collect statements and events; on leaving they are written in one transaction.

        Leaving with an exception writes nothing. A failed write raises `DatabaseError`.
        """
        async with self._lock:
            if self._stale:
                await self._reload()
                self._stale = False
            change = Change(
                actor_id=self._actor_id, channel_id=self._channel_id, last_seq=self.last_seq
            )
            yield change
            self._before_commit(change)
            if change.statements:
                try:
                    await self._actor.db.batch(change.statements)
                except BaseException:
                    self._stale = True
                    raise
            self.last_seq = change.next_seq - 1
            for callback in change.callbacks:
                callback()
            for event in change.events:
                await self._actor.broadcast("event", event.model_dump(mode="json"))
        if change.events:
            self._heard(change.events)

    async def after(self, seq: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` stored events with a higher number, in order, as JSON objects."""
        rows = await self._actor.db.query(
            "SELECT json FROM events WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit
        )
        return [Event.model_validate_json(row["json"]).model_dump(mode="json") for row in rows]

    async def delta(self, message_id: str, text: str) -> None:
        """Tell who listens that `text` follows in a message that is still being written."""
        data = {"message_id": message_id, "text": text}
        await self.tell("message.delta", self._channel_id, data)

    async def tell(
        self, kind: EventType, channel_id: str, data: dict[str, Any] | None = None
    ) -> None:
        """Tell who listens now; nothing is stored."""
        event = Event(
            seq=None, type=kind, actor_id=self._actor_id, channel_id=channel_id, data=data or {}
        )
        await self._actor.broadcast("event", event.model_dump(mode="json"))
