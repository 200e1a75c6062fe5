"""Hands the control socket to a sandbox that can't inherit it.

The host keeps the listening socket and sends it, as an open file, to whoever connects to a
second socket that is mounted read-only inside. So nothing inside can put a link or another
socket where the host connects. The open connection also tells the inside that the worker
lives: when it ends, so does the sandbox.
"""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path

_MOST = 16
"""Connections kept; the relay needs one, and one more each time somebody kills it."""


class Handover:
    """Gives `listening` to processes of `uid` that connect to `path`."""

    def __init__(self, path: Path, listening: socket.socket, uid: int) -> None:
        self._listening = listening
        self._uid = uid
        self._given: list[socket.socket] = []
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(path))
        path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
        self._door.listen(_MOST)
        self._door.setblocking(False)
        self._serving = asyncio.create_task(self._serve(), name="control-handover")

    async def aclose(self) -> None:
        """Take it all back."""
        self._serving.cancel()
        await asyncio.wait([self._serving])
        for connection in (self._door, *self._given, self._listening):
            connection.close()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._door)
            connection.setblocking(False)
            if _peer_uid(connection) != self._uid:
                connection.close()
                continue
            if len(self._given) == _MOST:
                self._given.pop(0).close()
            self._given.append(connection)
            with contextlib.suppress(OSError):
                socket.send_fds(connection, [b"c"], [self._listening.fileno()])


def _peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
