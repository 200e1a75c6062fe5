"""The worker's connection to the engine: what is numbered, repeated, and given up."""

import asyncio

import pytest
from pyrivet import Actor, Worker, WorkerError, action
from pyrivet import _protocol as p
from pyrivet._envoy import open_socket
from pyrivet._history import CommandLog, EventHistory

from .conftest import Stage

RUNNING = p.StateUpdate(p.Running())
STOPPED = p.StateUpdate(p.Stopped(p.StopCode.OK, None))


def indexes(history: EventHistory) -> list[tuple[str, int, int]]:
    places = [event.checkpoint for event in history.unacknowledged()]
    return [(place.actor_id, place.generation, place.index) for place in places]


def test_events_are_numbered_per_generation_and_repeated_until_acknowledged() -> None:
    history = EventHistory()
    for actor, generation in (("a", 1), ("a", 1), ("b", 1), ("a", 2)):
        history.add(actor, generation, RUNNING)
    assert indexes(history) == [("a", 1, 0), ("a", 1, 1), ("b", 1, 0), ("a", 2, 0)]
    history.acknowledge([p.Checkpoint("a", 1, 0), p.Checkpoint("c", 1, 9)])
    assert indexes(history) == [("a", 1, 1), ("b", 1, 0), ("a", 2, 0)]
    assert history.add("a", 1, RUNNING).checkpoint.index == 2


def test_stopped_generation_is_forgotten_only_when_the_engine_has_surely_read_it() -> None:
    history = EventHistory()
    history.add("a", 1, STOPPED)
    history.add("b", 1, RUNNING)
    history.pinged()
    history.pinged()
    # A reconnect: what was sent before may be lost, so pings count from here.
    assert indexes(history) == [("a", 1, 0), ("b", 1, 0)]
    for _ in range(3):
        history.pinged()
    assert indexes(history) == [("b", 1, 0)]


def test_replayed_commands_are_not_obeyed_again() -> None:
    log = CommandLog()
    first, second = p.Checkpoint("a", 1, 1), p.Checkpoint("a", 1, 2)
    assert [log.accept(each) for each in (first, second, first, second)] == [
        True,
        True,
        False,
        False,
    ]
    assert log.accept(p.Checkpoint("a", 2, 1))
    assert not log.accept(second)
    assert log.accept(p.Checkpoint("b", 1, 1))


class Still(Actor):
    """Remembers in memory only."""

    def __init__(self) -> None:
        self.calls = 0

    @action
    async def call(self) -> tuple[int, int]:
        self.calls += 1
        return self.calls, self.generation


@pytest.mark.anyio
@pytest.mark.live
async def test_actor_runs_on_through_a_broken_connection(stage: Stage, key: list[str]) -> None:
    worker = await stage.work(still=Still)
    still = (await stage.client()).get_or_create("still", key)
    for number in range(1, 4):
        assert await still.call("call", retry=True) == [number, 1]
        socket = worker._host.envoy._socket
        assert socket is not None
        socket.transport.abort()
        await socket.wait_closed()


@pytest.mark.anyio
@pytest.mark.live
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
