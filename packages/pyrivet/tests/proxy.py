"""A proxy before the engine, which refuses and cuts connections when a test says so."""

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
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._open:
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
            self._open |= {outgoing, requests}
            with suppress(OSError):
                await asyncio.gather(_copy(incoming, requests), _copy(answers, outgoing))
            self._open -= {outgoing, requests}
        finally:
            outgoing.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    finally:
        target.close()
