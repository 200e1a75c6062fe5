"""Frees the actors of a worker process that is known to be dead."""

import asyncio
from dataclasses import replace

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from pyrivet import _protocol as p
from pyrivet._envoy import EnvoyAddress, open_socket
from pyrivet.errors import ProtocolError

# The engine sends all stops at once; this leaves room for a busy machine.
_SECONDS = 1.5
# Above every index the dead process can have used; the engine ignores lower ones.
_LAST_INDEX = 1 << 40


async def release_actors(address: EnvoyAddress, dead_key: str) -> int:
    """Tell the engine that the actors of `dead_key` have stopped; returns how many there were.

    Takes 1.5 s, most of it waiting for stragglers. Only safe when that process is certainly gone:
    its actors start elsewhere at once. Connection errors are ignored, the engine then notices by
    itself.
    """
    released: set[str] = set()
    try:
        async with open_socket(replace(address, key=dead_key)) as socket:
            await socket.send(p.TO_ENGINE.encode(p.Metadata(None, None)))
            await socket.send(p.TO_ENGINE.encode(p.Stopping()))
            async with asyncio.timeout(_SECONDS):
                while True:
                    message = p.TO_ENVOY.decode(bytes(await socket.recv(decode=False)))
                    for checkpoint in _stops(message):
                        place = replace(checkpoint, index=_LAST_INDEX)
                        stopped = p.StateUpdate(p.Stopped(p.StopCode.OK, None))
                        events = p.Events([p.EventWrapper(place, stopped)])
                        await socket.send(p.TO_ENGINE.encode(events))
                        released.add(checkpoint.actor_id)
    except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, ProtocolError):
        pass
    return len(released)


def _stops(message: p.ToEnvoy) -> list[p.Checkpoint]:
    if not isinstance(message, p.Commands):
        return []
    return [c.checkpoint for c in message.commands if isinstance(c.inner, p.Stop)]
