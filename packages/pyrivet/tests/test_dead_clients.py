"""Clients that stop reading cost the worker no memory, hold nobody up and leave nothing behind.

`PYRIVET_SOAK_CROWDS` (1) of them come one after the other.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pyrivet import ActorHandle, Engine, EventsLost, Subscription

from .conftest import Stage, gateway_url
from .proxy import Proxy
from .tower import CHUNK, MESSAGES

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

log = logging.getLogger(__name__)

CROWDS = int(os.environ.get("PYRIVET_SOAK_CROWDS", "1"))
OF_EACH = 4
LISTENERS = 12
MIB = 1 << 20
# For what Python and the sockets keep for themselves; each crowd is sent six times as much.
GROWTH = 16 * MIB
PATIENCE = 40.0


def memory(pid: int) -> int:
    """Return what a process holds in memory, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def program(name: str, *args: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one of the programs beside this file, from its first line on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(__file__).with_name(name)), *args),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def dead_clients(url: str, stage: Stage) -> AsyncIterator[int]:
    """Have some that only read no more, some that are stopped, and some whose half is gone.

    Yields how many of each kind there are.
    """
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(stage.endpoint).serve())
        lost = url.replace(stage.endpoint, proxy.endpoint)
        crowds = [program("crowd.py", each, str(OF_EACH)) for each in (url, url, lost)]
        programs = await asyncio.gather(*map(stack.enter_async_context, crowds))
        programs[1].send_signal(signal.SIGSTOP)
        proxy.lose_clients()
        programs[2].kill()
        yield OF_EACH * len(crowds)


async def until(tower: ActorHandle, settled: Callable[[dict[str, int]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not settled(await tower.call("census")):
            await asyncio.sleep(0.1)


async def heard(bells: Subscription) -> None:
    async with asyncio.timeout(PATIENCE):
        assert len((await anext(bells))[0]) == CHUNK


async def read(bells: Subscription) -> None:
    async with asyncio.timeout(PATIENCE):
        async for _ in bells:
            pass


@pytest.mark.timeout(120 + 30 * CROWDS)
async def test_dead_clients_take_no_memory_hold_nobody_up_and_leave_nothing(
    stage: Stage, engine: Engine, key: list[str]
) -> None:
    given = (stage.endpoint, stage.pool, stage.token or "")
    async with program("tower.py", *given) as worker:
        tower = (await stage.client()).get_or_create("tower", key)
        async with tower.subscribe("bell") as bells:
            await tower.call("ring")
            await heard(bells)
            alone, before = await tower.call("census"), memory(worker.pid)
            for number in range(CROWDS):
                async with dead_clients(gateway_url(stage, "tower", key, "{}"), stage) as count:
                    peak = before
                    for _ in range(MESSAGES):
                        await tower.call("ring")
                        await heard(bells)
                        peak = max(peak, memory(worker.pid))
                    census = await tower.call("census")
                    assert (census["connections"], census["sockets"]) == (count + 1, count)
                    # The write deadline ends answers, although no client has said anything.
                    await until(tower, lambda now: now["streams"] == 0)
                    peak = max(peak, memory(worker.pid))
                    figures = {"grown": peak - before, "engine": memory(engine.pid or 0)}
                    log.info("crowd %d: %s", number, figures)
                    assert peak - before < GROWTH
                await until(tower, lambda now: now == alone)


async def test_what_waits_while_the_engine_stands_still_is_bounded(
    stage: Stage, engine: Engine, key: list[str]
) -> None:
    assert engine.pid is not None
    async with AsyncExitStack() as stack:
        token, url = stage.token or "", gateway_url(stage, "tower", key, "{}")
        tower = (await stage.client()).get_or_create("tower", key)
        given = (stage.endpoint, stage.pool, token)
        worker = await stack.enter_async_context(program("tower.py", *given))
        bells = await stack.enter_async_context(tower.subscribe("bell"))
        await tower.call("siren")
        await stack.enter_async_context(program("crowd.py", url, str(LISTENERS)))
        assert (await tower.call("census"))["connections"] == LISTENERS + 1
        before = peak = memory(worker.pid)
        os.kill(engine.pid, signal.SIGSTOP)
        try:
            worker.send_signal(signal.SIGUSR1)
            assert worker.stdout is not None
            silence = asyncio.create_task(worker.stdout.readline())
            while not silence.done():
                peak = max(peak, memory(worker.pid))
                await asyncio.sleep(0.01)
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        log.info("engine stood still: %s", {"grown": peak - before})
        assert peak - before < (LISTENERS + 1) * MESSAGES * CHUNK + GROWTH
        with pytest.raises(EventsLost):
            await read(bells)
        await tower.call("ring", retry=True)
        await heard(bells)
