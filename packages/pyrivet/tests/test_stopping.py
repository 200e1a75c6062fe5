"""What becomes of calls that wait for their turn when their actor stops."""

import asyncio
from datetime import timedelta

import pytest
from pyrivet import (
    Actor,
    ActorHandle,
    ActorOptions,
    CallInterrupted,
    Unreachable,
    Worker,
    action,
)

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class Clerk(Actor):
    """Serves one after the other, once its office is open."""

    def __init__(self, opened: asyncio.Event) -> None:
        self.opened = opened

    @action
    async def serve(self) -> int:
        await self.opened.wait()
        return self.generation

    @action(concurrent=True)
    async def nod(self) -> None:
        """Answer, although others wait."""


class Hurried(Clerk):
    options = ActorOptions(stop_grace=timedelta(milliseconds=100))


async def three_in_line(clerk: ActorHandle) -> "list[asyncio.Task[int]]":
    line = [asyncio.create_task(clerk.call("serve")) for _ in range(3)]
    await asyncio.sleep(0)
    await clerk.call("nod")  # came behind them
    return line


async def told_to_stop(worker: Worker) -> None:
    while any(run.accepting for run in worker._host._runs.values()):
        await asyncio.sleep(0.01)


async def test_all_that_came_before_the_stop_are_answered_first(
    stage: Stage, key: list[str]
) -> None:
    opened = asyncio.Event()
    worker = await stage.work(clerk=lambda: Clerk(opened))
    line = await three_in_line((await stage.client()).get_or_create("clerk", key))
    await stage.work(clerk=lambda: Clerk(opened))
    leaving = asyncio.create_task(worker.__aexit__(None, None, None))
    await told_to_stop(worker)
    opened.set()
    assert await asyncio.gather(*line) == [1, 1, 1]
    await leaving


async def test_those_that_have_not_begun_in_time_go_to_the_next_generation(
    stage: Stage, key: list[str]
) -> None:
    shut, opened = asyncio.Event(), asyncio.Event()
    worker = await stage.work(hurried=lambda: Hurried(shut))
    first, *others = await three_in_line((await stage.client()).get_or_create("hurried", key))
    opened.set()
    await stage.work(hurried=lambda: Hurried(opened))
    await worker.__aexit__(None, None, None)
    with pytest.raises(CallInterrupted):
        await first
    assert await asyncio.gather(*others) == [2, 2]


async def test_actor_that_starts_when_its_worker_is_leaving_stops_at_once(
    stage: Stage, key: list[str]
) -> None:
    made: list[Clerk] = []

    def make() -> Clerk:
        made.append(Clerk(asyncio.Event()))
        return made[-1]

    worker = await stage.work(clerk=make)
    worker._host.leave()  # as at exit, when the engine does not tell actors to stop
    clerk = (await stage.client()).get_or_create("clerk", key)
    with pytest.raises(Unreachable):
        await clerk.call("nod", timeout=timedelta(seconds=1))
    assert made
    while worker.actors:
        await asyncio.sleep(0.01)
