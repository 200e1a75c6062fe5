"""Connections that the engine keeps open while their actor sleeps or moves.

What the next generation must know of them is stored when the actor stops in good order, under
this generation's number. A generation that follows a crash finds nothing of its predecessor: it
cannot know which of the messages that come again were handled, and closes the connections.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrivet import _protocol as p
from pyrivet._connection import Connection
from pyrivet._database import Result
from pyrivet._socket import RESTARTS
from pyrivet._tunnel import Channel
from pyrivet.errors import DatabaseError

if TYPE_CHECKING:
    from pyrivet._runtime import ActorRun

log = logging.getLogger("pyrivet")

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS pyrivet_connection "
    "(channel BLOB PRIMARY KEY, generation INTEGER NOT NULL, kept TEXT NOT NULL) WITHOUT ROWID"
)
_LOAD = "SELECT channel, kept FROM pyrivet_connection WHERE generation = ?"
_CLEAR = "DELETE FROM pyrivet_connection"
_SAVE = "INSERT INTO pyrivet_connection (channel, generation, kept) VALUES (?, ?, ?)"


@dataclass(frozen=True)
class KeptSockets:
    """The sockets that the engine says it has kept, and who routes their messages."""

    channels: Sequence[Channel]
    register: Callable[[Connection], None]
    forget: Callable[[bytes], None]
    left: Callable[[], None]
    """Called when some were left to the engine."""


class Hibernation:
    """Hands the connections of one generation of an actor to the next."""

    def __init__(self, run: "ActorRun", kept: KeptSockets) -> None:
        self._run = run
        self._kept = kept
        self._restored: list[Connection] = []
        self._left: list[Connection] = []

    def statements(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Return what to run at start; the last result is for `restore`."""
        if not self._run.options.hibernate:
            return []
        return [(_SCHEMA, ()), (_LOAD, (self._run.generation - 1,))]

    def restore(self, result: Result) -> None:
        """Take over what was left in good order; clients are sent nothing before `resume`."""
        listed = {channel.id for channel in self._kept.channels}
        for row in result.rows:
            channel_id: bytes = row["channel"]
            channel = self._run.channel(p.MessageId(channel_id[:4], channel_id[4:], 0))
            connection = self._connection(channel, row["kept"])
            if channel_id in listed or connection.young:
                connection.hibernates = True  # also if this generation is stopped before it runs
                self._restored.append(connection)
                self._run.audience.add(connection)
            else:
                self._left.append(connection)

    def resume(self) -> None:
        """Go on with the restored connections; close those of which nothing is known."""
        known = {connection.channel.id for connection in self._restored}
        for channel in self._kept.channels:
            if channel.id not in known:
                channel.send(p.SocketOpen(can_hibernate=False))
                channel.send(p.SocketClose(RESTARTS, "actor.restarted", hibernate=False))
        for connection in self._restored:
            self._kept.register(connection)
            connection.resume()
        for connection in self._left:
            self._run.audience.farewell(connection)
        self._restored.clear()
        self._left.clear()

    async def leave(self) -> None:
        """Store the connections that can hibernate, and leave them to the engine."""
        leaving = [conn for conn in self._run.audience.admitted() if conn.hibernates]
        if not leaving:
            return
        await asyncio.gather(*(connection.settled() for connection in leaving))
        generation = self._run.generation
        rows = [(_SAVE, (conn.channel.id, generation, conn.keep())) for conn in leaving]
        try:
            await self._run.db.batch([(_CLEAR, ()), *rows])
        except DatabaseError:
            log.exception("actor.connections_not_kept", extra={"actor_id": self._run.id})
            return  # they are closed like others
        for connection in leaving:
            if not connection.closed:  # the client may have left meanwhile
                self._run.audience.release(connection)
                connection.hibernate()
                self._kept.left()

    def _connection(self, channel: Channel, text: str) -> Connection:
        return Connection.restored(self._run, channel, text, self._kept.forget)
