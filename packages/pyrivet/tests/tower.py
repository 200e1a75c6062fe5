"""A worker process that sends much to whoever listens: `python tower.py ENDPOINT POOL TOKEN`.

Prints a line once it is connected, and one when nobody is left to hear its siren, which waits for
SIGUSR1.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

from pyrivet import Actor, ActorOptions, Request, Response, WebSocket, Worker, action

CHUNK = 64 << 10
MESSAGES = 64
"""How many messages of `CHUNK` bytes each WebSocket and each connection gets, and may wait."""


class Tower(Actor):
    options = ActorOptions(write_timeout=timedelta(seconds=2), max_unsent_events=MESSAGES)

    def __init__(self, worker: "list[Worker]", alarmed: asyncio.Event) -> None:
        self.worker = worker
        self.alarmed = alarmed
        self.streams = 0
        self.sockets = 0

    async def on_request(self, request: Request) -> Response:
        """Answer without end."""
        return Response(self._stream())

    async def on_websocket(self, socket: WebSocket) -> None:
        self.sockets += 1
        try:
            for _ in range(MESSAGES):
                await socket.send(b"x" * CHUNK)
            async for _ in socket:
                pass
        finally:
            self.sockets -= 1

    @action
    async def ring(self) -> None:
        await self.broadcast("bell", "x" * CHUNK)

    @action
    async def census(self) -> dict[str, int]:
        """Return how many are there, and what this process keeps for them."""
        host = self.worker[0]._host
        return {
            "connections": len(self.connections),
            "streams": self.streams,
            "sockets": self.sockets,
            "tasks": len(asyncio.all_tasks()),
            "exchanges": len(host._exchanges),
            "unsent": len(host.envoy._outbox),
        }

    @action
    async def siren(self) -> None:
        """Ring without a pause from SIGUSR1 on, until nobody is connected."""
        self.spawn(self._wail())

    async def _stream(self) -> AsyncIterator[bytes]:
        self.streams += 1
        try:
            while True:
                yield b"x" * CHUNK
        finally:
            self.streams -= 1

    async def _wail(self) -> None:
        await self.alarmed.wait()
        try:
            while self.connections:
                await self.ring()
                await asyncio.sleep(0)
        finally:  # also when this worker has given its actors up, as the engine stands still
            print("silent", flush=True)  # noqa: T201 - the test waits for it


async def main(endpoint: str, pool: str, token: str) -> None:
    alarmed = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, alarmed.set)
    workers: list[Worker] = []
    actors = {"tower": lambda: Tower(workers, alarmed)}
    async with Worker(endpoint, actors, pool=pool, token=token) as worker:
        workers.append(worker)
        print("connected", flush=True)  # noqa: T201 - the test waits for it
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
