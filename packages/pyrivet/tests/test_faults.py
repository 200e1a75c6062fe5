"""Workers and the engine are killed and paused under load; every acknowledged write is counted.

With `PYRIVET_FAULTS_OVER_HTTP=1` every other actor is called over HTTP, which takes longer: the
engine held such requests for up to 42 s after it was killed.
"""

import asyncio
import os
import signal
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pyrivet import ActorHandle, CallInterrupted, DeadlineExceeded, Engine, Unreachable

from .conftest import Stage
from .fleet import fleet_of

pytestmark = [pytest.mark.anyio, pytest.mark.live]

RECOVERY = timedelta(seconds=40)
ACTORS = 6
OVER_HTTP = os.environ.get("PYRIVET_FAULTS_OVER_HTTP") == "1"
PATIENCE = (4 if OVER_HTTP else 2) * RECOVERY.total_seconds()


class Load:
    """Writes to actors without pause and keeps what it knows of each write."""

    def __init__(self, actors: list[ActorHandle]) -> None:
        self.acknowledged: list[set[str]] = [set() for _ in actors]
        self._actors = actors
        self._over = asyncio.Event()
        self._written = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._write(n)) for n in range(len(actors))]

    async def more(self, count: int) -> None:
        """Wait until every actor has acknowledged so many more writes."""
        wanted = [len(done) + count for done in self.acknowledged]
        async with asyncio.timeout(PATIENCE), self._written:
            await self._written.wait_for(
                lambda: all(
                    len(done) >= least
                    for done, least in zip(self.acknowledged, wanted, strict=True)
                )
            )

    async def end(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)

    async def _write(self, number: int) -> None:
        sent, over_http = 0, OVER_HTTP and number % 2 == 1
        while not self._over.is_set():
            text, sent = str(sent), sent + 1
            try:
                await self._actors[number].call("note", text, timeout=RECOVERY, over_http=over_http)
            except (CallInterrupted, DeadlineExceeded, Unreachable):
                continue  # it may have happened, once
            self.acknowledged[number].add(text)
            async with self._written:
                self._written.notify_all()


@pytest.mark.timeout(2 * PATIENCE)
async def test_no_acknowledged_write_is_lost_and_none_happens_twice(
    engine_binary: Path, tmp_path: Path, key: list[str]
) -> None:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(engine_binary, tmp_path, token="faults"))
        stage = Stage(engine.endpoint, engine.token, stack)
        fleet = await stack.enter_async_context(fleet_of(stage.endpoint, stage.pool, stage.token))
        client = await stage.client()
        actors = [client.get_or_create("tally", [*key, str(n)]) for n in range(ACTORS)]
        first, second = await fleet.add(), await fleet.add()
        load = Load(actors)
        await load.more(10)

        await first.kill()
        await load.more(5)
        third = await fleet.add()
        second.pause()
        await load.more(5)
        second.resume()
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        await load.more(5)
        assert await third.drain() == 0
        await load.more(5)

        await load.end()
        for actor, acknowledged in zip(actors, load.acknowledged, strict=True):
            notes = Counter(await actor.call("notes", retry=True, timeout=RECOVERY))
            assert acknowledged <= notes.keys()
            assert set(notes.values()) == {1}
