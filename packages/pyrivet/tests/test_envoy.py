"""The worker's connection to the engine: what is numbered, repeated, answered and given up."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyrivet import (
    Actor,
    ActorHandle,
    ActorOptions,
    CallInterrupted,
    DatabaseError,
    Engine,
    Worker,
    WorkerError,
    action,
)
from pyrivet import _protocol as p
from pyrivet._database import Database
from pyrivet._envoy import Envoy, open_socket

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

ACKNOWLEDGED_EVERY = 250
PINGS = 12
# The engine gives a worker up that has not answered for as many milliseconds: less than PINGS take.
IMPATIENT = {"PEGBOARD__ENVOY_UPDATE_PING_INTERVAL": "250", "PEGBOARD__ENVOY_PING_TIMEOUT": "2500"}


class Still(Actor):
    """Remembers in memory only, and never sleeps by itself."""

    options = ActorOptions(sleep_after=None)

    def __init__(self) -> None:
        self.calls = 0

    @action
    async def call(self) -> tuple[int, int]:
        self.calls += 1
        return self.calls, self.generation

    @action
    async def doze(self) -> None:
        """Ask for sleep at the worst moment: while there is no connection."""
        cut(self.envoy())
        self.sleep()

    @action
    async def fidget(self, times: int) -> int:
        """Report so many events; returns how many are kept when the engine has some."""
        envoy = self.envoy()
        for _ in range(times):
            envoy.emit(self.id, self.generation, p.SetAlarm(None))
        while len(kept := envoy._history.unacknowledged()) > ACKNOWLEDGED_EVERY:
            await asyncio.sleep(0.01)
        return len(kept)

    @action
    async def write_as_before(self, sql: str) -> str:
        """Write as the generation before this one; returns what became of that."""
        reasons: list[str] = []

        class Owner:
            fail = reasons.append

            def interrupted(self) -> None: ...

        with pytest.raises(DatabaseError):
            await Database(self.envoy(), self.id, self.generation - 1, Owner()).execute(sql)
        return ", ".join(reasons)

    @action
    async def rows(self) -> int:
        return len(await self.db.query("SELECT * FROM note"))

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE note (text TEXT)")

    def envoy(self) -> Envoy:
        return self.db._envoy


def cut(envoy: Envoy) -> None:
    """Break the connection without a word, as a network does."""
    assert envoy._socket is not None
    envoy._socket.transport.abort()
    envoy.ready.clear()  # as the reading side will do in a moment


async def doze(still: ActorHandle, worker: Worker) -> None:
    with pytest.raises(CallInterrupted):
        await still.call("doze")
    while worker.actors:
        await asyncio.sleep(0.01)


async def test_actor_runs_on_through_a_broken_connection(stage: Stage, key: list[str]) -> None:
    worker = await stage.work(still=Still)
    still = (await stage.client()).get_or_create("still", key)
    for number in range(1, 4):
        assert await still.call("call", retry=True) == [number, 1]
        cut(worker._host.envoy)


async def test_command_that_is_replayed_starts_no_second_instance(
    stage: Stage, key: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await stage.work(still=Still)
    envoy = worker._host.envoy
    accept, send = envoy._commands.accept, envoy.send
    replayed = asyncio.Event()

    def send_no_receipt(message: p.ToEngine, *rest: Any) -> None:
        if not isinstance(message, p.AckCommands):
            send(message, *rest)

    def note(checkpoint: p.Checkpoint) -> bool:
        new = accept(checkpoint)
        if not new:
            replayed.set()
        return new

    monkeypatch.setattr(envoy, "send", send_no_receipt)
    monkeypatch.setattr(envoy._commands, "accept", note)
    still = (await stage.client()).get_or_create("still", key)
    assert await still.call("call") == [1, 1]
    cut(envoy)
    await replayed.wait()
    assert await still.call("call", retry=True) == [2, 1]
    assert worker.actors == 1


async def test_event_without_a_connection_is_sent_on_the_next(stage: Stage, key: list[str]) -> None:
    worker = await stage.work(still=Still)
    still = (await stage.client()).get_or_create("still", key)
    await doze(still, worker)
    assert await still.call("call") == [1, 2]


async def test_events_are_forgotten_once_the_engine_has_them(stage: Stage, key: list[str]) -> None:
    await stage.work(still=Still)
    still = (await stage.client()).get_or_create("still", key)
    assert await still.call("fidget", 2 * ACKNOWLEDGED_EVERY) <= ACKNOWLEDGED_EVERY


async def test_database_refuses_a_generation_that_has_been_replaced(
    stage: Stage, key: list[str]
) -> None:
    worker = await stage.work(still=Still)
    still = (await stage.client()).get_or_create("still", key)
    await doze(still, worker)
    write = "INSERT INTO note VALUES ('late')"
    assert await still.call("write_as_before", write) == "another generation has started"
    assert await still.call("rows") == 0


async def test_pings_are_answered(engine_binary: Path, tmp_path: Path) -> None:
    async with (
        Engine(engine_binary, tmp_path, settings=IMPATIENT) as engine,
        Worker(engine.endpoint, {}) as worker,
    ):
        envoy = worker._host.envoy
        pinged, first = asyncio.Semaphore(0), envoy._socket
        envoy._history.pinged = pinged.release  # type: ignore[method-assign]
        for _ in range(PINGS):
            await pinged.acquire()
        assert envoy._socket is first


async def test_engine_knows_which_actors_there_are(stage: Stage, engine: Engine) -> None:
    await stage.work(rare=Still)
    async with httpx.AsyncClient(base_url=stage.endpoint, trust_env=False) as http:
        headers, query = {"authorization": f"Bearer {stage.token}"}, {"namespace": "default"}
        names: dict[str, Any] = {}
        while "rare" not in names:
            answer = await http.get("/actors/names", params=query, headers=headers)
            names = answer.raise_for_status().json()["names"]
    assert names["rare"] == {"metadata": {}}


async def test_worker_whose_key_another_uses_stops_its_actors_and_ends(
    stage: Stage, key: list[str]
) -> None:
    worker = Worker(stage.endpoint, {"still": Still}, pool=stage.pool, token=stage.token)
    async with worker:
        still = (await stage.client()).get_or_create("still", key)
        await still.call("call")
        assert worker.actors == 1
        async with open_socket(worker._address) as other:
            await other.send(p.TO_ENGINE.encode(p.Metadata(None, None)))
            with pytest.raises(WorkerError, match=r"ws\.eviction"):
                await worker.wait()
        while worker.actors:
            await asyncio.sleep(0.01)
        assert not worker.connected
