"""The clients that are connected to an actor."""

import asyncio
from typing import Any

from pyrivet import _wire
from pyrivet._connection import Connection
from pyrivet._encodings import Encoding


class Audience:
    """All connections of one actor, and what is said to them together."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> None:
        self._connections[connection.id] = connection

    def remove(self, connection: Connection) -> bool:
        """Forget a connection; returns whether it was there."""
        return self._connections.pop(connection.id, None) is not None

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

    async def part(self, reason: str) -> None:
        """End every connection, and wait until clients have what was sent to them."""
        await asyncio.gather(*(each.part(reason) for each in list(self._connections.values())))
