"""The clients that are connected to an actor."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from pyrivet import _wire
from pyrivet._calls import Calls
from pyrivet._connection import POLICY, Connection
from pyrivet._encodings import Encoding
from pyrivet._idle import Idleness
from pyrivet._outcome import NotRun, Outcome, Refusal
from pyrivet._tasks import Tasks
from pyrivet.actor import Actor

log = logging.getLogger("pyrivet")


class Audience:
    """All connections of one actor: how they come and go, and what is said to them together."""

    def __init__(
        self,
        actor: Actor,
        calls: Calls,
        tasks: Tasks,
        idleness: Idleness,
        ids: Mapping[str, Any],
    ) -> None:
        self._actor = actor
        self._calls = calls
        self._tasks = tasks
        self._idleness = idleness
        self._ids = ids
        self._connections: dict[str, Connection] = {}

    def admitted(self) -> list[Connection]:
        return [conn for conn in self._connections.values() if conn.admitted]

    def broadcast(self, name: str, args: tuple[Any, ...]) -> None:
        """Send an event to those who subscribed to it, written once for each encoding."""
        wanting = [conn for conn in self.admitted() if conn.subscribed(name)]
        if not wanting:
            return
        text = _wire.dump(list(args))
        frames: dict[Encoding, bytes] = {}
        for connection in wanting:
            encoding = connection.encoding
            if encoding not in frames:
                frames[encoding] = encoding.event(name, text)
            connection.post(frames[encoding])

    def open(self, connection: Connection) -> None:
        """Take a new connection; it counts as activity until it ends."""
        self._connections[connection.id] = connection
        self._idleness.acquire()
        self._tasks.start_call(self._admit(connection), "connect")

    def answer(self, connection: Connection, number: int, name: str, args: list[Any]) -> None:
        """Run an action for a connection."""
        encoding = connection.encoding
        self._calls.call(
            name, args, lambda outcome: connection.post(outcome.frame(number, encoding))
        )

    def closed(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        if self._connections.pop(connection.id, None) is None:
            return
        self._idleness.release()
        if connection.admitted and not self._tasks.abandoned:
            self._tasks.start_call(self._say_goodbye(connection), "disconnect")

    async def part(self, reason: str) -> None:
        """End every connection, and wait until clients have what was sent to them."""
        await asyncio.gather(*(each.part(reason) for each in list(self._connections.values())))

    async def _admit(self, connection: Connection) -> None:
        options = self._actor.options
        try:
            connection.greet()
            if len(self._connections) > options.max_connections:
                raise Refusal("overloaded", "too many connections")
            if not self._tasks.accepting:
                raise NotRun
            async with asyncio.timeout(options.action_timeout.total_seconds()):
                await self._actor.authorize(connection.params)
                await self._actor.on_connect(connection)
        except Exception as error:
            outcome = Outcome.of(error, self._ids)
            connection.post(outcome.frame(None, connection.encoding))
            connection.close(POLICY, f"{outcome.group}.{outcome.code}"[:100])
        else:
            if not connection.closed:
                connection.admit()

    async def _say_goodbye(self, connection: Connection) -> None:
        try:
            await self._actor.on_disconnect(connection)
        except Exception:
            log.exception("actor.hook_failed", extra=self._ids)
