"""Workers and engines that are killed without warning."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pyrivet import CallInterrupted, Engine, EventsLost, Worker, WorkerError

from .conftest import Stage
from .crash_worker import Ledger

pytestmark = [pytest.mark.anyio, pytest.mark.live]

RECOVERY = timedelta(seconds=40)


class Process:
    """A worker in a process of its own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, takeover: str | None = None) -> str:
        script = Path(__file__).with_name("crash_worker.py")
        stage = self._stage
        given = [stage.endpoint, stage.pool, stage.token or ""]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(script), *given, *([takeover] if takeover else [])),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def process(stage: Stage) -> AsyncIterator[Process]:
    process = Process(stage)
    yield process
    await process.kill()


async def test_next_worker_has_what_the_killed_one_committed(
    stage: Stage, process: Process, key: list[str]
) -> None:
    ledger = (await stage.client()).get_or_create("ledger", key)
    await process.start()
    assert await ledger.call("add", "kept") == 1
    hanging = asyncio.ensure_future(ledger.call("hang"))
    await process.kill()
    with pytest.raises(CallInterrupted):
        await hanging
    await process.start()
    assert await ledger.call("entries", retry=True, timeout=RECOVERY) == ["kept"]
    assert await ledger.call("add", "new") > 1


async def test_takeover_moves_actors_at_once(
    stage: Stage, process: Process, key: list[str]
) -> None:
    ledger = (await stage.client()).get_or_create("ledger", key)
    dead = await process.start()
    await ledger.call("add", "kept")
    await process.kill()
    await process.start(takeover=dead)
    assert await ledger.call("entries", retry=True, timeout=RECOVERY) == ["kept"]


async def test_work_under_way_goes_on_without_a_request(
    stage: Stage, process: Process, key: list[str]
) -> None:
    client = await stage.client(idle=timedelta(0))
    ledger = client.get_or_create("ledger", key)
    await process.start()
    await ledger.call("begin", "report")
    await process.kill()
    worker = await stage.work(ledger=Ledger)
    async with asyncio.timeout(RECOVERY.total_seconds()):
        while not worker.actors:
            await asyncio.sleep(0.1)
    entries = await ledger.call("entries", retry=True, timeout=RECOVERY)
    assert entries == ["report finished"]


@pytest.fixture
async def mortal(engine_binary: Path, tmp_path: Path) -> AsyncIterator[tuple[Engine, Stage]]:
    """Return an engine that may be killed."""
    async with (
        Engine(engine_binary, tmp_path / "engine", token="other") as engine,
        AsyncExitStack() as stack,
    ):
        yield engine, Stage(engine.endpoint, engine.token, stack)


async def test_everything_recovers_from_a_killed_engine(
    mortal: tuple[Engine, Stage], key: list[str]
) -> None:
    engine, stage = mortal
    worker = await stage.work(ledger=Ledger)
    ledger = (await stage.client()).get_or_create("ledger", key)
    await ledger.call("add", "before")
    async with ledger.subscribe("finished") as finished:
        hanging = asyncio.ensure_future(ledger.call("hang", timeout=RECOVERY))
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(CallInterrupted):
            await hanging
        with pytest.raises(EventsLost):
            await anext(finished)
    assert "before" in await ledger.call("entries", retry=True, timeout=RECOVERY)
    await ledger.call("add", "after", timeout=RECOVERY)
    assert await ledger.call("entries") == ["before", "after"]
    assert engine.restarts == 1
    assert worker.connected


async def test_writes_under_way_happen_once_when_the_engine_is_killed(
    mortal: tuple[Engine, Stage], key: list[str]
) -> None:
    engine, stage = mortal
    await stage.work(ledger=Ledger)
    ledger = (await stage.client()).get_or_create("ledger", key)
    await ledger.call("fill", 0, 400)
    for size in (50, 150, 250):
        while len(await ledger.call("entries", retry=True, timeout=RECOVERY)) < size:
            pass
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        while engine.restarts < {50: 1, 150: 2, 250: 3}[size]:
            await asyncio.sleep(0.01)
    while (entries := await ledger.call("entries", retry=True, timeout=RECOVERY))[-1][0] != "f":
        pass
    assert entries == [*map(str, range(400)), "full in 1"]


async def test_worker_without_a_valid_token_is_refused(engine: Engine) -> None:
    with pytest.raises(WorkerError, match="refused"):
        async with Worker(engine.endpoint, {}, pool="x", token="wrong"):
            pass
