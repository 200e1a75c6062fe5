"""Events from actors to subscribers, on a real engine."""

import asyncio
from datetime import timedelta

import pytest
from pyrivet import (
    Actor,
    ActorHandle,
    ActorOptions,
    CallInterrupted,
    Connection,
    EventsLost,
    action,
)

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class Radio(Actor):
    options = ActorOptions(max_unsent_events=8)

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def on_connect(self, conn: Connection) -> None:
        await conn.send("welcome", conn.params.get("name"))

    async def on_disconnect(self, conn: Connection) -> None:
        self.gone.set()

    @action
    async def count(self, first: int, last: int) -> None:
        for number in range(first, last):
            await self.broadcast("number", number, {"even": number % 2 == 0})

    @action
    async def listeners(self) -> int:
        return len(self.connections)

    @action
    async def hang_up(self) -> None:
        for conn in self.connections:
            conn.close()

    @action(concurrent=True)
    async def wait_for_goodbye(self) -> None:
        await self.gone.wait()


@pytest.fixture
async def radio(stage: Stage, key: list[str]) -> ActorHandle:
    await stage.work(radio=Radio)
    client = await stage.client()
    return client.get_or_create("radio", key)


async def test_subscriber_gets_every_event_in_order(radio: ActorHandle) -> None:
    async with radio.subscribe("number") as numbers, radio.subscribe("number") as again:
        await radio.call("count", 0, 5)
        expected = [[n, {"even": n % 2 == 0}] for n in range(5)]
        assert [await anext(numbers) for _ in range(5)] == expected
        assert [await anext(again) for _ in range(5)] == expected


async def test_only_subscribers_get_an_event(stage: Stage, radio: ActorHandle) -> None:
    async with radio.subscribe("other") as other:
        async with radio.subscribe("number") as numbers:
            await radio.call("count", 0, 1)
            assert await anext(numbers) == [0, {"even": True}]
        await radio.call("count", 1, 2)
        waiting = asyncio.ensure_future(anext(other))
        await radio.call("listeners")
        assert not waiting.done()
        waiting.cancel()


async def test_overflow_is_reported_in_its_place(radio: ActorHandle) -> None:
    async with radio.subscribe("number", max_queued=3) as numbers:
        for number in range(5):
            await radio.call("count", number, number + 1)
        with pytest.raises(EventsLost):
            await anext(numbers)
        assert (await anext(numbers))[0] == 4


async def test_reconnect_is_reported_and_the_subscription_goes_on(radio: ActorHandle) -> None:
    async with radio.subscribe("number") as numbers:
        await radio.call("count", 0, 1)
        with pytest.raises(CallInterrupted):
            await radio.call("hang_up")
        assert (await anext(numbers))[0] == 0
        with pytest.raises(EventsLost):
            await anext(numbers)
        await radio.call("count", 7, 8)
        assert (await anext(numbers))[0] == 7


async def test_slow_connection_is_dropped_and_the_actor_goes_on(radio: ActorHandle) -> None:
    async with radio.subscribe("number") as numbers:
        # More at once than may wait to be sent: the event loop has no chance to send any.
        with pytest.raises(CallInterrupted):
            await radio.call("count", 0, 100)
        while True:
            try:
                await anext(numbers)
            except EventsLost:
                break
        assert await radio.call("listeners") == 1


async def test_actor_notices_that_a_client_left(
    stage: Stage, radio: ActorHandle, key: list[str]
) -> None:
    other = await stage.client(idle=timedelta(0))
    leaving = other.get_or_create("radio", key)
    assert await radio.call("listeners") == 1
    assert await leaving.call("listeners") == 2
    await radio.call("wait_for_goodbye")
    assert await radio.call("listeners") == 1
