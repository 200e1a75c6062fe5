"""Acknowledging received bytes without delay."""

import socket as socket_module
from contextlib import suppress
from socket import IPPROTO_TCP

from websockets.asyncio.client import ClientConnection

_QUICK_ACK: int | None = getattr(socket_module, "TCP_QUICKACK", None)  # Linux only


def acknowledge(socket: ClientConnection) -> None:
    """Have the kernel acknowledge what has come at once.

    The engine's sockets hold a small frame back until the one before is acknowledged (Nagle),
    and the kernel would wait 40 ms for data to send along: an answer behind an event took 48 ms
    instead of 4, a request whose body is a frame of its own as much longer. Linux forgets the
    option again, so it is set for each frame.
    """
    raw = socket.transport.get_extra_info("socket")
    if raw is not None and _QUICK_ACK is not None:
        with suppress(OSError):
            raw.setsockopt(IPPROTO_TCP, _QUICK_ACK, 1)
