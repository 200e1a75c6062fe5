"""State, queues and repeating alarms: what an actor is promised to find again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from pyrivet import ActionError, Actor, ActorHandle, ActorOptions, action, queue

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

SECONDS = 30


class Basket(BaseModel):
    fruits: list[str] = []
    owner: str = ""


class Grocer(Actor):
    """Keeps its state; `options` let it hold only three messages."""

    options = ActorOptions(sleep_after=timedelta(milliseconds=50), max_queued=3)
    state: Basket

    # Names that this package might have used itself.
    _run = _attached = _queues = _state = "mine"

    def __init__(self, seen: "asyncio.Queue[str]") -> None:
        self.seen = seen
        self.doors = asyncio.Event()

    async def create_state(self) -> Basket:
        return Basket(owner=self.input or "nobody")

    async def on_start(self) -> None:
        self.seen.put_nowait(f"start {self.generation}")

    async def on_alarm(self) -> None:
        self.seen.put_nowait("alarm")
        self.state.fruits.append("alarm")

    @action
    async def add(self, fruit: str) -> list[str]:
        self.state.fruits.append(fruit)
        return self.state.fruits

    @action
    async def drop(self, fruit: str) -> None:
        self.state.fruits.append(fruit)
        raise ActionError("dropped")

    @action
    async def overflow(self) -> None:
        self.state.owner = "x" * 200_000

    @action
    async def basket(self) -> Basket:
        return self.state

    @action
    async def names(self) -> list[str]:
        return [self._run, self._attached, self._queues, self._state]

    @action
    async def wake_in(self, milliseconds: int) -> None:
        await self.schedule.set_alarm(datetime.now(UTC) + timedelta(milliseconds=milliseconds))

    @action
    async def sleep_for(self, milliseconds: int) -> None:
        await self.wake_in(milliseconds)
        self.sleep()

    @action
    async def repeat(self, milliseconds: int) -> None:
        await self.schedule.every(timedelta(milliseconds=milliseconds), "tick", id="tick")

    @action
    async def tick_by_cron(self, expression: str, timezone: str = "UTC") -> list[str]:
        await self.schedule.cron(expression, "tick", id="tick", timezone=timezone)
        return [f"{alarm.id} {alarm.action}" for alarm in self.schedule.list()]

    @action
    async def next_tick(self) -> datetime | None:
        alarm = self.schedule.get("tick")
        return None if alarm is None else alarm.at

    @action
    async def tick(self) -> None:
        self.state.fruits.append("tick")
        self.seen.put_nowait("tick")

    @action
    async def stop_ticking(self) -> bool:
        return await self.schedule.cancel("tick")

    @action
    async def order(self, count: int) -> None:
        for number in range(count):
            await self.queue("deliveries").send({"fruit": f"pear {number}"})

    @action
    async def order_elsewhere(self) -> None:
        self.queue("elsewhere")

    @queue("deliveries")
    async def deliver(self, crate: dict[str, str]) -> int:
        self.state.fruits.append(crate["fruit"])
        self.seen.put_nowait(crate["fruit"])
        return len(self.state.fruits)

    @queue("broken")
    async def break_down(self, _: Any) -> None:
        self.state.fruits.append("rotten")
        raise RuntimeError("secret detail")

    @queue("closed")
    async def wait_for_doors(self, crate: str) -> None:
        self.seen.put_nowait(f"{crate} in {self.generation}")
        await self.doors.wait()

    @action(concurrent=True)
    async def open_doors(self) -> None:
        self.doors.set()


@pytest.fixture
def seen() -> "asyncio.Queue[str]":
    return asyncio.Queue()


@pytest.fixture
async def grocer(stage: Stage, key: list[str], seen: "asyncio.Queue[str]") -> ActorHandle:
    await stage.work(grocer=lambda: Grocer(seen))
    client = await stage.client(idle=timedelta(0))
    return client.get_or_create("grocer", key, input="Ann")


async def until(seen: "asyncio.Queue[str]", wanted: str) -> None:
    async with asyncio.timeout(SECONDS):
        while await seen.get() != wanted:
            pass


async def test_state_is_found_again(grocer: ActorHandle, seen: "asyncio.Queue[str]") -> None:
    assert await grocer.call("add", "apple") == ["apple"]
    await grocer.call("sleep_for", 400)
    await until(seen, "start 2")
    await until(seen, "alarm")
    assert await grocer.call("basket") == {"fruits": ["apple", "alarm"], "owner": "Ann"}


async def test_what_a_failed_action_did_to_the_state_is_undone(grocer: ActorHandle) -> None:
    await grocer.call("add", "apple")
    with pytest.raises(ActionError, match="dropped"):
        await grocer.call("drop", "egg")
    with pytest.raises(ActionError, match="state_too_big"):
        await grocer.call("overflow")
    assert await grocer.call("basket") == {"fruits": ["apple"], "owner": "Ann"}


async def test_attributes_of_a_subclass_hide_none_of_ours(grocer: ActorHandle) -> None:
    assert await grocer.call("names") == ["mine"] * 4


async def test_alarm_repeats_until_it_is_cancelled(
    grocer: ActorHandle, seen: "asyncio.Queue[str]"
) -> None:
    await grocer.call("repeat", 200)
    for _ in range(3):
        await until(seen, "tick")
    assert await grocer.call("stop_ticking") is True
    ticks = (await grocer.call("basket"))["fruits"]
    assert len(ticks) >= 3
    await grocer.call("add", "last")
    assert await grocer.call("stop_ticking") is False


async def test_cron_is_due_again_and_again_until_it_is_changed(
    grocer: ActorHandle, seen: "asyncio.Queue[str]"
) -> None:
    assert await grocer.call("tick_by_cron", "* * * * * *") == ["tick tick"]
    for _ in range(3):
        await until(seen, "tick")
    due = await grocer.call("next_tick")
    assert await grocer.call("tick_by_cron", "0 0 1 1 *", "Europe/Berlin") == ["tick tick"]
    assert await grocer.call("next_tick") > due
    assert await grocer.call("stop_ticking") is True
    assert await grocer.call("next_tick") is None


async def test_stays_awake_for_an_alarm_that_the_engine_would_be_late_for(
    grocer: ActorHandle, seen: "asyncio.Queue[str]"
) -> None:
    await grocer.call("wake_in", 2_000)
    async with asyncio.timeout(SECONDS):
        assert [await seen.get(), await seen.get()] == ["start 1", "alarm"]


@pytest.mark.parametrize(
    ("expression", "timezone"),
    [("* * * *", "UTC"), ("0 0 30 2 *", "UTC"), ("* * * * *", "Moon/Sea")],
)
async def test_cron_that_means_nothing_is_refused(
    grocer: ActorHandle, expression: str, timezone: str
) -> None:
    with pytest.raises(ActionError, match="internal_error"):
        await grocer.call("tick_by_cron", expression, timezone)


async def test_messages_are_handled_in_order(
    grocer: ActorHandle, seen: "asyncio.Queue[str]"
) -> None:
    await grocer.call("order", 3)
    await until(seen, "pear 2")
    assert (await grocer.call("basket"))["fruits"] == ["pear 0", "pear 1", "pear 2"]
    with pytest.raises(ActionError, match="internal_error"):
        await grocer.call("order_elsewhere")


async def test_sender_waits_for_the_handler(grocer: ActorHandle) -> None:
    async with grocer.subscribe("nothing"):  # keeps it awake
        assert await grocer.send("deliveries", {"fruit": "fig"}, wait=True) == 1
        for body, code in (({"fruit": 1}, "invalid_input"), (None, "invalid_input")):
            with pytest.raises(ActionError, match=code):
                await grocer.send("deliveries", body, wait=True)
        with pytest.raises(ActionError, match="internal_error") as caught:
            await grocer.send("broken", 1, wait=True)
        assert "secret" not in str(caught.value)
        with pytest.raises(ActionError, match="queue_not_found"):
            await grocer.send("elsewhere", 1)
        with pytest.raises(ActionError, match="message_too_big"):
            await grocer.send("deliveries", "x" * 200_000)
        assert (await grocer.call("basket"))["fruits"] == ["fig"]


async def test_full_queue_refuses(grocer: ActorHandle, seen: "asyncio.Queue[str]") -> None:
    for number in range(3):
        await grocer.send("closed", f"crate {number}")
    with pytest.raises(ActionError, match="queue_full"):
        await grocer.send("closed", "crate 3")
    await grocer.call("open_doors")
    await until(seen, "crate 2 in 1")


async def test_message_is_handled_again_after_its_worker_left(
    stage: Stage, key: list[str], seen: "asyncio.Queue[str]"
) -> None:
    class Hasty(Grocer):
        options = ActorOptions(stop_grace=timedelta(milliseconds=50))

    first = await stage.work(grocer=lambda: Hasty(seen))
    client = await stage.client(idle=timedelta(0))
    handle = client.get_or_create("grocer", key)
    await handle.send("closed", "crate")
    await until(seen, "crate in 1")
    await stage.work(grocer=lambda: Hasty(seen))
    await first.__aexit__(None, None, None)
    await until(seen, "crate in 2")
    await handle.call("open_doors")
