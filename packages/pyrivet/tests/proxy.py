"""A proxy before the engine, which refuses, cuts and forgets connections when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Proxy:
    """Stands before the engine; answers 503 to as many connections as it is told."""

    def __init__(self, endpoint: str) -> None:
        self.refusals = 0
        self.endpoint = ""
        self._engine = urlsplit(endpoint)
        self._clients: set[asyncio.StreamWriter] = set()
        self._engines: set[asyncio.StreamWriter] = set()
        self._over: asyncio.Event | None = None

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._clients | self._engines:
            writer.transport.abort()
        if self._over is not None:
            self._over.set()

    def lose_clients(self) -> None:
        """Break the clients' half only: the engine goes on to send to nobody until `cut`."""
        self._over = asyncio.Event()
        for writer in self._clients:
            writer.transport.abort()

    async def _connected(
        self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter
    ) -> None:
        try:
            if self.refusals:
                self.refusals -= 1
                await incoming.readuntil(b"\r\n\r\n")
                outgoing.write(UNAVAILABLE)
                return
            host, port = self._engine.hostname, self._engine.port
            answers, requests = await asyncio.open_connection(host, port)
            self._clients.add(outgoing)
            self._engines.add(requests)
            copies = [_copy(incoming, requests), _copy(answers, outgoing)]
            copying = [asyncio.create_task(copy) for copy in copies]
            await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
            for task in copying:
                task.cancel()
            if self._over is not None:
                await self._over.wait()
            self._clients.discard(outgoing)
            self._engines.discard(requests)
            requests.close()
        finally:
            outgoing.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
