"""The clients that are connected to an actor."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from pyrivet import _wire
from pyrivet._calls import Calls
from pyrivet._connection import Connection
from pyrivet._encodings import Encoding
from pyrivet._idle import Idleness
from pyrivet._outcome import NotRun, Outcome, Refusal
from pyrivet._socket import INTERNAL, POLICY, RESTARTS
from pyrivet._tasks import Tasks
from pyrivet._websocket import WebSocket
from pyrivet.actor import Actor
from pyrivet.errors import ClientGone

log = logging.getLogger("pyrivet")


class Audience:
    """All WebSockets of one actor: how they come and go, and what is said to them together."""

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
        self._sockets: set[WebSocket] = set()

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
            connection.post_frame(frames[encoding])

    def add(self, connection: Connection) -> None:
        """Note a connection; one that cannot hibernate keeps the actor awake."""
        self._connections[connection.id] = connection
        if not self._actor.options.hibernate:
            self._idleness.acquire()

    def open(self, connection: Connection) -> None:
        """Let a new client in, or not."""
        self.add(connection)
        self._tasks.start_call(self._admit(connection), "connect")

    def open_socket(self, socket: WebSocket) -> None:
        """Take a raw WebSocket, which keeps the actor awake."""
        self._sockets.add(socket)
        self._idleness.acquire()
        self._tasks.start_talk(self._talk(socket), "websocket")

    def answer(self, connection: Connection, number: int, name: str, args: list[Any]) -> None:
        """Run an action for a connection."""
        encoding = connection.encoding
        self._calls.call(
            name, args, lambda outcome: connection.post_frame(outcome.frame(number, encoding))
        )

    def closed(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        if self._connections.pop(connection.id, None) is None:
            return
        if not self._actor.options.hibernate:
            self._idleness.release()
        if connection.admitted and not self._tasks.abandoned:
            self.farewell(connection)

    def socket_closed(self, socket: WebSocket) -> None:
        """Forget a raw WebSocket that has ended."""
        if socket in self._sockets:
            self._sockets.discard(socket)
            self._idleness.release()

    def farewell(self, connection: Connection) -> None:
        """Run `on_disconnect` for a connection that has ended."""
        self._tasks.start_call(self._say_goodbye(connection), "disconnect")

    def release(self, connection: Connection) -> None:
        """Forget a connection that goes on with the next generation."""
        del self._connections[connection.id]

    async def end_sockets(self) -> None:
        """Close raw WebSockets, so that what talks over them comes to its end."""
        ending = [socket.part("the actor stops", RESTARTS) for socket in self._sockets]
        await asyncio.gather(*ending)

    async def part(self, reason: str) -> None:
        """End every connection, and wait until clients have what was sent to them."""
        await asyncio.gather(*(each.part(reason) for each in list(self._connections.values())))

    async def _talk(self, socket: WebSocket) -> None:
        try:
            socket.greet()
            if not self._tasks.accepting:
                raise NotRun
            if len(self._sockets) + len(self._connections) > self._actor.options.max_connections:
                raise Refusal("overloaded", "too many connections")
            if type(self._actor).on_websocket is Actor.on_websocket:
                raise Refusal("not_found", "this actor takes no plain WebSockets")
            await self._actor.authorize(socket.params)
            await self._actor.on_websocket(socket)
        except ClientGone:
            pass
        except Exception as error:
            outcome = Outcome.of(error, self._ids)
            code = INTERNAL if outcome.code == "internal_error" else POLICY
            socket.close(code, f"{outcome.group}.{outcome.code}"[:100])
        finally:
            socket.close()

    async def _admit(self, connection: Connection) -> None:
        options = self._actor.options
        try:
            connection.greet()
            if len(self._connections) + len(self._sockets) > options.max_connections:
                raise Refusal("overloaded", "too many connections")
            if not self._tasks.accepting:
                raise NotRun
            seconds = options.action_timeout.total_seconds()
            with self._idleness.hold():
                async with asyncio.timeout(seconds):
                    await self._actor.authorize(connection.params)
                    await self._actor.on_connect(connection)
        except Exception as error:
            outcome = Outcome.of(error, self._ids)
            reason = f"{outcome.group}.{outcome.code}"[:100]
            connection.refuse(outcome.frame(None, connection.encoding), reason)
        else:
            if not connection.closed:
                connection.admit()

    async def _say_goodbye(self, connection: Connection) -> None:
        try:
            await self._actor.on_disconnect(connection)
        except Exception:
            log.exception("actor.hook_failed", extra=self._ids)
