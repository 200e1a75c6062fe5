"""Clients that are stopped in the middle of reading events; `PYRIVET_SOAK_MIB` (64) for each.

As a program: `python test_dead_clients.py ENDPOINT POOL TOKEN KEY` subscribes and reads.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pyrivet import Actor, Client, action

if __name__ != "__main__":
    from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

MIB = 1 << 20
SENT = int(os.environ.get("PYRIVET_SOAK_MIB", "64")) * MIB
EVENT = 256 << 10
DEAD = 3
# For what Python and the sockets keep for themselves; all that was sent is many times as much.
GROWTH = 24 * MIB


class Tower(Actor):
    """Sends to everybody who listens."""

    @action
    async def ring(self) -> None:
        await self.broadcast("bell", "x" * EVENT)

    @action
    async def listeners(self) -> int:
        return len(self.connections)


def memory() -> int:
    """Return what this process, the worker, holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def stopped_listener(stage: "Stage", key: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, stage.endpoint, stage.pool, stage.token or "", key),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"listening\n"
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_dead_clients_take_no_memory_of_the_worker_and_hold_nobody_up(
    stage: "Stage", key: list[str]
) -> None:
    await stage.work(tower=Tower)
    tower = (await stage.client()).get_or_create("tower", key)
    async with tower.subscribe("bell") as bells, AsyncExitStack() as stack:
        for _ in range(DEAD):
            await stack.enter_async_context(stopped_listener(stage, key[0]))
        assert await tower.call("listeners") == DEAD + 1
        await tower.call("ring")
        await anext(bells)
        before = memory()
        for _ in range(SENT // EVENT):
            await tower.call("ring")
            assert len((await anext(bells))[0]) == EVENT
            assert memory() - before < GROWTH


async def listen(endpoint: str, pool: str, token: str, key: str) -> None:
    async with (
        Client(endpoint, pool=pool, token=token) as client,
        client.get_or_create("tower", [key]).subscribe("bell") as bells,
    ):
        print("listening", flush=True)  # noqa: T201 - the test waits for it
        async for _ in bells:
            pass


if __name__ == "__main__":
    asyncio.run(listen(*sys.argv[1:]))
