"""Runs inside the sandbox: joins sockets of the host with loopback ports.

Arguments come in pairs, from and to: `fd:N` (a listening socket from the host), `tcp:PORT`
(on loopback), `unix:PATH`, `given:PATH` (a listening socket that the host hands over there; the
program ends well when the host takes it back). One process without forks, so it still works
when the sandbox has no process left to give. Standard library only: it runs on the system's
Python.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def dial(target: str) -> Streams:
    kind, _, where = target.partition(":")
    if kind == "tcp":
        return await asyncio.open_connection("127.0.0.1", int(where))
    return await asyncio.open_unix_connection(where)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()  # the other direction ends with it


def joined_to(target: str) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await dial(target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()
        far_writer.close()

    return handle


def take(path: str) -> tuple[socket.socket, socket.socket]:
    """Return the connection to the host and the listening socket that it gave."""
    host = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        host.connect(path)
        _, numbers, _, _ = socket.recv_fds(host, 1, 1)
    except OSError:
        sys.exit(0)  # nobody is there any more
    if not numbers:
        sys.exit(0)
    host.setblocking(False)
    return host, socket.socket(fileno=numbers[0])


async def main(pairs: list[str]) -> None:
    servers = []
    hosts = []
    for source, target in zip(pairs[::2], pairs[1::2], strict=True):
        kind, _, where = source.partition(":")
        if kind == "fd":
            listening = socket.socket(fileno=int(where))
            servers.append(await asyncio.start_unix_server(joined_to(target), sock=listening))
        elif kind == "given":
            host, listening = take(where)
            hosts.append(host)
            servers.append(await asyncio.start_unix_server(joined_to(target), sock=listening))
        else:
            servers.append(
                await asyncio.start_server(joined_to(target), "127.0.0.1", int(where), backlog=512)
            )
    for host in hosts:
        while await asyncio.get_running_loop().sock_recv(host, 1):
            pass
        return
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
