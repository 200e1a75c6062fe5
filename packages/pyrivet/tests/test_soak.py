"""Many actors that sleep and wake, and clients that do not read; longer with environment variables.

`PYRIVET_SOAK_ACTORS` (30) and `PYRIVET_SOAK_ROUNDS` (3) set the size.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from pyrivet import Actor, ActorHandle, ActorOptions, EventsLost, Subscription, action

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

ACTORS = int(os.environ.get("PYRIVET_SOAK_ACTORS", "30"))
ROUNDS = int(os.environ.get("PYRIVET_SOAK_ROUNDS", "3"))
AT_ONCE = 20
PATIENCE = timedelta(seconds=60)


class Sleeper(Actor):
    """Counts, and sleeps at once when nobody calls."""

    options = ActorOptions(sleep_after=timedelta(milliseconds=50))

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE total AS SELECT 0 AS value")

    @action
    async def increment(self) -> tuple[int, int]:
        """Return the new value and the generation."""
        await self.db.execute("UPDATE total SET value = value + 1")
        return (await self.db.query("SELECT value FROM total"))[0]["value"], self.generation

    @action
    async def total(self) -> int:
        value: int = (await self.db.query("SELECT value FROM total"))[0]["value"]
        return value


@pytest.mark.timeout(60 + ACTORS * ROUNDS)
async def test_counts_survive_random_sleep_and_wake(stage: Stage, key: list[str]) -> None:
    worker = await stage.work(sleeper=Sleeper)
    client = await stage.client(idle=timedelta(0))
    actors = [client.get_or_create("sleeper", [*key, str(n)]) for n in range(ACTORS)]
    counts = [0] * ACTORS
    generations = [0] * ACTORS
    turns = asyncio.Semaphore(AT_ONCE)

    async def increment(number: int, actor: ActorHandle) -> None:
        async with turns:
            value, generations[number] = await actor.call("increment", timeout=PATIENCE)
        counts[number] += 1
        assert value == counts[number]

    for _ in range(ROUNDS):
        order = [(n, actor) for n, actor in enumerate(actors) for _ in range(2)]
        random.shuffle(order)
        tasks = [asyncio.create_task(increment(n, actor)) for n, actor in order[:ACTORS]]
        await asyncio.gather(*tasks)
        while worker.actors > ACTORS // 10:
            await asyncio.sleep(0.05)
    assert max(generations) > 1
    assert sum(counts) == ACTORS * ROUNDS

    async def total(actor: ActorHandle) -> int:
        async with turns:
            value: int = await actor.call("total", timeout=PATIENCE)
            return value

    assert await asyncio.gather(*map(total, actors)) == counts


class Loud(Actor):
    """Sends events faster than they leave the process."""

    options = ActorOptions(max_unsent_events=64)

    @action
    async def shout(self, count: int, size: int) -> int:
        """Broadcast without letting anything out in between; returns who is still connected."""
        for _ in range(count):
            await self.broadcast("noise", "x" * size)
        return len(self.connections)

    @action
    async def listeners(self) -> int:
        return len(self.connections)


async def lost(subscription: Subscription) -> bool:
    """Read until the subscription says that events are missing."""
    try:
        async for _ in subscription:
            pass
    except EventsLost:
        return True
    return False


async def test_clients_that_do_not_keep_up_are_dropped_and_others_served(
    stage: Stage, key: list[str]
) -> None:
    await stage.work(loud=Loud)
    slow = [await stage.client() for _ in range(10)]
    async with AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(
                client.get_or_create("loud", key).subscribe("noise", max_queued=8)
            )
            for client in slow
        ]
        loud = (await stage.client()).get_or_create("loud", key)
        assert await loud.call("listeners") == 11
        assert await loud.call("shout", 65, 10_000) == 1
        for subscription in subscriptions:
            assert await lost(subscription)
