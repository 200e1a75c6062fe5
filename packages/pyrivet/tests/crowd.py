"""Clients that hear the beginning and then read no more: `python crowd.py URL COUNT`.

URL is where the actor answers, with `{}` for the path. Prints a line once so many HTTP answers,
WebSockets and connections with a subscription have begun.
"""

import asyncio
import sys
from urllib.parse import urlsplit

from pyrivet import _wire
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol


async def answer(url: str) -> asyncio.StreamWriter:
    address = urlsplit(url.format("/request/"))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"GET {address.path}?{address.query} HTTP/1.1\r\nhost: x\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    return writer


async def dial(url: str, path: str, *protocols: str) -> ClientConnection:
    offered = [Subprotocol(name) for name in ("rivet", *protocols)]
    address = url.format(path).replace("http", "ws", 1)
    socket = await connect(
        address, subprotocols=offered, max_queue=1, ping_interval=None, compression=None, proxy=None
    )
    await socket.recv()
    return socket


async def subscribe(url: str) -> ClientConnection:
    socket = await dial(url, "/connect", _wire.ENCODING)
    for frame in (_wire.subscription("bell", True), _wire.action_request(1, "census", ())):
        await socket.send(frame.decode())
    await socket.recv()  # the answer, so that the subscription has been taken, too
    return socket


async def main(url: str, count: str) -> None:
    numbers = range(int(count))
    answers = [answer(url) for _ in numbers]
    sockets = [dial(url, "/websocket/") for _ in numbers]
    connections = [subscribe(url) for _ in numbers]
    opened = await asyncio.gather(*answers, *sockets, *connections)
    print(len(opened), flush=True)  # noqa: T201 - the test waits for it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
