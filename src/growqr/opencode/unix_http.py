"""HTTP over Unix sockets whose reads may be cancelled at any moment."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpcore
import httpx
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream


def unix_transport(socket: Path, max_connections: int | None = 100) -> httpx.AsyncHTTPTransport:
    """Return a transport for `httpx` that talks to the server behind this socket.

    httpx's own one reads through anyio (4.16), where a read that is cancelled in the same turn of
    the event loop in which its bytes come leaves an `InvalidStateError` in the loop: the socket's
    callback sets the result of a future that is cancelled already. That is what happens whenever
    a sandbox ends and its reader is let go.
    """
    transport = httpx.AsyncHTTPTransport()
    # httpx has no argument for the backend of its pool.
    transport._pool = httpcore.AsyncConnectionPool(
        uds=str(socket),
        max_connections=max_connections,
        max_keepalive_connections=4,
        keepalive_expiry=5,
        network_backend=_Backend(),
    )
    return transport


class _Backend(AsyncNetworkBackend):
    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        with _named(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                return _Stream(*await asyncio.open_unix_connection(path))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _named(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _named(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # how the pool finds out that the server closed an idle one
            return self._reader.at_eof() or self._writer.is_closing()
        return None


@contextlib.contextmanager
def _named(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
