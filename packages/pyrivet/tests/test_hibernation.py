"""Clients stay connected while their actor sleeps, moves or dies."""

import asyncio
from datetime import timedelta

import pytest
from pyrivet import (
    Actor,
    ActorHandle,
    ActorOptions,
    Connection,
    EventsLost,
    Worker,
    action,
)

from .conftest import Stage
from .fleet import fleet_of

pytestmark = [pytest.mark.anyio, pytest.mark.live]


RECOVERY = timedelta(seconds=40)


class Bear(Actor):
    """Sleeps at once, whoever is connected."""

    options = ActorOptions(hibernate=True, sleep_after=timedelta(milliseconds=50))
    diary: "asyncio.Queue[str]"

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE total AS SELECT 0 AS value")

    async def on_start(self) -> None:
        await self.broadcast("woke", self.generation)

    async def on_sleep(self) -> None:
        self.diary.put_nowait(f"sleep {self.generation}")

    async def on_connect(self, conn: Connection) -> None:
        self.diary.put_nowait(f"connect {conn.params['name']}")

    async def on_disconnect(self, conn: Connection) -> None:
        self.diary.put_nowait(f"disconnect {conn.params['name']}")

    @action
    async def increment(self) -> tuple[int, int]:
        """Return the new value and the generation."""
        await self.db.execute("UPDATE total SET value = value + 1")
        await self.broadcast("changed", self.generation)
        return (await self.db.query("SELECT value FROM total"))[0]["value"], self.generation

    @action
    async def count(self) -> tuple[int, int]:
        """Return how many are connected, and the generation."""
        return len(self.connections), self.generation

    @action(concurrent=True)
    async def work(self) -> None:
        self.spawn(asyncio.Event().wait())


@pytest.fixture
def diary() -> "asyncio.Queue[str]":
    return asyncio.Queue()


@pytest.fixture
async def bear(stage: Stage, key: list[str], diary: "asyncio.Queue[str]") -> ActorHandle:
    Bear.diary = diary
    client = await stage.client(conn_params={"name": "one"})
    return client.get_or_create("bear", key)


async def noted(diary: "asyncio.Queue[str]", entry: str) -> None:
    while await diary.get() != entry:
        pass


async def test_connected_client_lets_the_actor_sleep_and_wakes_it(
    stage: Stage, bear: ActorHandle, diary: "asyncio.Queue[str]"
) -> None:
    await stage.work(bear=Bear)
    async with bear.subscribe("changed") as changes, bear.subscribe("woke") as wakes:
        for number in range(1, 4):
            connected, generation = await bear.call("count")
            assert connected == 1
            await noted(diary, f"sleep {generation}")
            assert await bear.call("increment") == [number, generation + 1]
            assert await anext(changes) == [generation + 1]
            while await anext(wakes) != [generation + 1]:
                pass


async def test_event_reaches_a_client_of_an_actor_that_somebody_else_woke(
    stage: Stage, bear: ActorHandle, key: list[str], diary: "asyncio.Queue[str]"
) -> None:
    await stage.work(bear=Bear)
    other = await stage.client(conn_params={"name": "two"})
    async with bear.subscribe("changed") as changes:
        _, generation = await bear.call("count")
        await noted(diary, f"sleep {generation}")
        value, later = await other.get_or_create("bear", key).call("increment")
        assert (value, later > generation) == (1, True)
        assert await anext(changes) == [later]


async def test_connection_survives_a_move_to_another_worker(
    stage: Stage, bear: ActorHandle, diary: "asyncio.Queue[str]"
) -> None:
    first = Worker(stage.endpoint, {"bear": Bear}, pool=stage.pool, token=stage.token)
    await first.__aenter__()
    async with bear.subscribe("changed") as changes:
        await bear.call("work")
        value, generation = await bear.call("increment")
        assert value == 1
        await stage.work(bear=Bear)
        calls = [asyncio.create_task(bear.call("increment")) for _ in range(20)]
        await first.__aexit__(None, None, None)
        answers = await asyncio.gather(*calls)
        assert sorted(value for value, _ in answers) == list(range(2, 22))
        assert (await bear.call("increment"))[1] > generation
        seen = [(await anext(changes))[0] for _ in range(22)]
        assert seen == sorted(seen)
    assert "disconnect one" not in [diary.get_nowait() for _ in range(diary.qsize())][:-1]


async def test_after_a_crash_no_message_is_handled_twice(stage: Stage, key: list[str]) -> None:
    tally = (await stage.client()).get_or_create("napping", key)
    async with fleet_of(stage.endpoint, stage.pool, stage.token) as fleet:
        first = await fleet.add()
        async with tally.subscribe("anything") as subscription:
            # Not acknowledged to the engine before some seconds have passed.
            await tally.call("note", "once")
            second = await fleet.add()
            await first.kill()
            again = (await stage.client()).get_or_create("napping", key)
            assert (await again.call("place", retry=True, timeout=RECOVERY))[0] == second.pid
            with pytest.raises(EventsLost):
                await anext(subscription)
        assert await tally.call("notes", retry=True, timeout=RECOVERY) == ["once"]
