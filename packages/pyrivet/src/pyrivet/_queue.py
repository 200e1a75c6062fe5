"""Durable queues: messages an actor has accepted and works off one by one."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pyrivet import _wire
from pyrivet._actions import Action
from pyrivet._database import MAX_PARAM_BYTES, Database
from pyrivet._outcome import Outcome, Refusal
from pyrivet.errors import ActionError

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS pyrivet_queue (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
    "id TEXT NOT NULL, queue TEXT NOT NULL, body TEXT NOT NULL)"
)
_PAGE = 16
_MAX_BODY_BYTES = MAX_PARAM_BYTES - 1_024  # leaves room for the id and the queue's name
_MAX_WAITERS = 1_000
# The engine gives up on a request after 300 s.
MAX_WAIT_SECONDS = 240.0


class Queue:
    """One queue of an actor; from `Actor.queue`."""

    def __init__(self, queues: "Queues", name: str) -> None:
        self.name = name
        self._queues = queues

    async def send(self, body: Any) -> str:
        """Add a message and return its id; durable when it returns.

        `body` is anything that JSON can hold, up to 127 KiB of it. Raises ActionError
        `queue_full` or `message_too_big`.
        """
        try:
            return await self._queues.send(self.name, body)
        except Refusal as refusal:
            raise ActionError(refusal.code, str(refusal)) from None


class Queues:
    """All queues of an actor. Messages are handled in the order they were accepted.

    A message is removed when its handler has ended, also with an error. If the worker dies
    before, it is handled again: at least once, never skipped.
    """

    def __init__(
        self,
        db: Database,
        handlers: Mapping[str, Action],
        *,
        max_messages: int,
        run: Callable[[Action, Any], Awaitable[Outcome]],
        arriving: Callable[[], None],
        arrived: Callable[[], None],
    ) -> None:
        self._db = db
        self._handlers = handlers
        self._max_messages = max_messages
        self._run = run
        self._arriving = arriving
        self._arrived = arrived
        self._waiters: dict[str, asyncio.Future[Outcome]] = {}
        self._news = False
        self.waiting = 0
        """Messages accepted and not yet handled."""

    def statements(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Return what to run at start, without anything for an actor that has no queues."""
        if not self._handlers:
            return []
        count = f"SELECT count(*) AS waiting FROM pyrivet_queue WHERE {self._mine()}"  # noqa: S608
        return [(SCHEMA, ()), (count, tuple(self._handlers))]

    def named(self, name: str) -> Queue:
        """Return a queue; raises ValueError for one that the class does not handle."""
        if name not in self._handlers:
            raise ValueError(f"no method handles the queue {name!r}")
        return Queue(self, name)

    async def send(self, queue: str, body: Any, *, message_id: str | None = None) -> str:
        """Keep a message; raises Refusal `queue_full`, `queue_not_found`, `message_too_big`."""
        if queue not in self._handlers:
            raise Refusal("queue_not_found", f"no queue {queue!r}")
        text = _wire.dump(body)
        if len(text.encode()) > _MAX_BODY_BYTES:
            raise Refusal("message_too_big", f"over {_MAX_BODY_BYTES} bytes")
        if self.waiting >= self._max_messages:
            raise Refusal("queue_full", f"{self.waiting} messages are waiting")
        message_id = message_id or uuid.uuid4().hex
        self.waiting += 1
        self._arriving()
        try:
            await self._db.execute(
                "INSERT INTO pyrivet_queue (id, queue, body) VALUES (?, ?, ?)",
                message_id,
                queue,
                text,
            )
        except Exception:
            self.waiting -= 1
            raise
        self._news = True
        self._arrived()
        return message_id

    async def ask(self, queue: str, body: Any, timeout_ms: int | None) -> Outcome | None:
        """Keep a message and wait until it has been handled; None when that takes too long."""
        if len(self._waiters) >= _MAX_WAITERS:
            raise Refusal("overloaded", "too many senders are waiting")
        seconds = MAX_WAIT_SECONDS if timeout_ms is None else timeout_ms / 1000
        message_id = uuid.uuid4().hex
        handled: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiters[message_id] = handled
        try:
            await self.send(queue, body, message_id=message_id)
            async with asyncio.timeout(min(seconds, MAX_WAIT_SECONDS)):
                return await handled
        except TimeoutError:
            return None
        finally:
            del self._waiters[message_id]

    async def work(self) -> None:
        """Handle messages until none is left."""
        page = (
            f"SELECT seq, id, queue, body FROM pyrivet_queue WHERE {self._mine()} "  # noqa: S608
            f"ORDER BY seq LIMIT {_PAGE}"
        )
        while True:
            self._news = False
            rows = await self._db.query(page, *self._handlers)
            if not rows and not self._news:
                return
            for row in rows:
                await self._handle(row)

    def pause(self) -> None:
        """Tell senders that nobody will handle their messages in this generation."""
        for handled in self._waiters.values():
            if not handled.done():
                gone = Refusal("interrupted", "the actor is stopping; the message is kept")
                handled.set_exception(gone)
                handled.exception()  # a sender may have stopped to wait

    async def _handle(self, row: Mapping[str, Any]) -> None:
        outcome = await self._run(self._handlers[row["queue"]], _read(row["body"]))
        await self._db.execute("DELETE FROM pyrivet_queue WHERE seq = ?", row["seq"])
        self.waiting -= 1
        handled = self._waiters.get(row["id"])
        if handled is not None and not handled.done():
            handled.set_result(outcome)

    def _mine(self) -> str:
        # Messages of a queue that the class no longer has stay until it has it again.
        return f"queue IN ({', '.join('?' * len(self._handlers))})"


def _read(text: str) -> Any:
    return _wire.revive(json.loads(text))
