import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from pyrivet import ActionError, RivetError

from growqr.api import events as events_module
from growqr.api.agents_gateway import AgentGateway, AgentUnavailable
from growqr.api.events import CursorAhead, EventHub, TooManyStreams
from growqr.db.tables import ActorRow
from growqr.errors import NotFound
from tests.api.fake_engine import LOST, FakeAgent, FakeClient

pytestmark = pytest.mark.anyio

ACTOR = ActorRow(id="act_1", user_id="usr_1", name="grow")


@pytest.fixture
def engine() -> FakeClient:
    return FakeClient()


@pytest.fixture
def agent(engine: FakeClient) -> FakeAgent:
    return engine.agents.setdefault("act_1", FakeAgent("grow", "act_1"))


@pytest.fixture
async def hub(engine: FakeClient) -> AsyncIterator[EventHub]:
    hub = EventHub(AgentGateway(engine.client), per_user=3)
    yield hub
    await hub.aclose()


def decoded(body: bytes) -> list[int | str]:
    """Stored events as their numbers, others as their text."""
    found: list[int | str] = []
    for block in body.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        event = json.loads(fields["data"])
        assert fields["event"] == event["type"]
        assert fields.get("id") == (str(event["seq"]) if event["seq"] else None)
        found.append(event["seq"] or event["data"]["text"])
    return found


async def take(source: AsyncIterator[bytes], until: int | str) -> list[int | str]:
    found: list[int | str] = []
    while until not in found:
        found += decoded(await anext(source))
    return found


async def test_stored_events_come_first_then_live_ones(hub: EventHub, agent: FakeAgent) -> None:
    for _ in range(450):  # more than two pages
        agent.emit("task.log", {})
    async with hub.follow(ACTOR, 3) as source:
        assert await take(source, 450) == list(range(4, 451))
        agent.emit("task.log", {})
        assert await take(source, 451) == [451]
        agent.emit("message.delta", {"text": "Hel"}, stored=False)
        agent.emit("task.log", {})
        assert await take(source, 452) == ["Hel", 452]


async def test_a_crowd_that_comes_at_once_reads_what_is_stored_once(
    engine: FakeClient, agent: FakeAgent
) -> None:
    hub = EventHub(AgentGateway(engine.client), per_user=1000)
    for _ in range(10):
        agent.emit("task.log", {})

    async def follow(ready: asyncio.Semaphore) -> list[int | str]:
        async with hub.follow(ACTOR, 3) as source:
            stored = await take(source, 10)
            ready.release()
            return stored + await take(source, 11)

    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        crowd = [group.create_task(follow(ready)) for _ in range(100)]
        for _ in crowd:
            await ready.acquire()
        agent.emit("task.log", {})
    assert {tuple(follower.result()) for follower in crowd} == {tuple(range(4, 12))}
    # whether the place exists, what follows it, and that nothing follows that
    assert agent.calls.count("events") == 3
    await hub.aclose()


async def test_closing_ends_followers_that_wait_for_stored_events(
    hub: EventHub, agent: FakeAgent
) -> None:
    agent.emit("task.log", {})
    async with hub.follow(ACTOR, 0) as source:
        reading = asyncio.ensure_future(anext(source))
        await asyncio.sleep(0)  # it has asked
        await hub.aclose()
        with pytest.raises(StopAsyncIteration):
            await reading


async def test_missed_and_lost_events_are_read_again(hub: EventHub, agent: FakeAgent) -> None:
    async with hub.follow(ACTOR, 0) as source:
        agent.emit("task.log", {})
        assert await take(source, 1) == [1]
        agent.emit("task.log", {}, heard=False)
        agent.emit("task.log", {}, heard=False)
        agent.emit("task.log", {})
        assert await take(source, 4) == [2, 3, 4]
        agent.emit("task.log", {}, heard=False)
        agent.tell(LOST)
        assert await take(source, 5) == [5]


async def test_repeated_events_are_dropped(hub: EventHub, agent: FakeAgent) -> None:
    async with hub.follow(ACTOR, 0) as source:
        first = agent.emit("task.log", {})
        agent.tell(first)
        agent.emit("task.log", {})
        agent.tell(first)
        agent.emit("task.log", {})
        assert await take(source, 3) == [1, 2, 3]


async def test_a_broken_subscription_is_made_again_without_a_gap(
    hub: EventHub, agent: FakeAgent
) -> None:
    async with hub.follow(ACTOR, 0) as source:
        agent.emit("task.log", {})
        assert await take(source, 1) == [1]
        agent.tell(RivetError("gone"))
        agent.emit("task.log", {}, heard=False)
        assert await take(source, 2) == [2]


async def test_followers_share_one_subscription_that_ends_with_the_last(
    hub: EventHub, engine: FakeClient, agent: FakeAgent
) -> None:
    agent.emit("task.log", {})
    async with hub.follow(ACTOR, 0) as one:
        await take(one, 1)
        async with hub.follow(ACTOR, 0) as two, hub.follow(ACTOR, 1) as three:
            assert await take(two, 1) == [1]
            assert engine.subscriptions == 1
            agent.emit("task.log", {})
            assert [await take(source, 2) for source in (one, two, three)] == [[2]] * 3
        assert engine.subscriptions == 1
    assert engine.subscriptions == 0
    assert hub.subscriptions == 0


async def test_joining_at_the_end_reads_nothing_from_the_agent(
    hub: EventHub, agent: FakeAgent
) -> None:
    async with hub.follow(ACTOR, 0) as one:
        agent.emit("task.log", {})
        await take(one, 1)
        agent.calls.clear()
        async with hub.follow(ACTOR, 1) as two:
            agent.emit("task.log", {})
            assert await take(two, 2) == [2]
        assert agent.calls == []


async def test_a_slow_follower_falls_out_of_the_ring_and_catches_up(
    hub: EventHub, agent: FakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_RING_EVENTS", 10)
    async with hub.follow(ACTOR, 0) as slow, hub.follow(ACTOR, 0) as quick:
        agent.emit("task.log", {})
        assert await take(slow, 1) == [1]
        for number in range(2, 100):
            agent.emit("task.log", {})
            if number % 7 == 0:
                await take(quick, number)
        assert await take(slow, 99) == list(range(2, 100))


async def test_text_of_finished_messages_is_not_sent_after_the_fact(
    hub: EventHub, agent: FakeAgent
) -> None:
    async with hub.follow(ACTOR, 0) as first:
        agent.emit("task.log", {})
        agent.emit("message.delta", {"text": "early"}, stored=False)
        await take(first, "early")
        async with hub.follow(ACTOR, 0) as late:
            agent.emit("task.log", {})
            assert await take(late, 2) == [1, 2]


async def test_a_cursor_beyond_the_end_is_refused(hub: EventHub, agent: FakeAgent) -> None:
    agent.emit("task.log", {})
    with pytest.raises(CursorAhead):
        async with hub.follow(ACTOR, 2):
            pass
    async with hub.follow(ACTOR, 1) as source:
        agent.emit("task.log", {})
        assert await take(source, 2) == [2]


async def test_without_an_engine_following_fails_and_leaves_nothing(
    hub: EventHub, engine: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "_FIRST_ANSWER_SECONDS", 0.05)
    engine.down = True
    with pytest.raises(AgentUnavailable):
        async with hub.follow(ACTOR, 0):
            pass
    assert hub.subscriptions == 0


async def test_streams_of_one_agent_can_be_ended(hub: EventHub, agent: FakeAgent) -> None:
    agent.emit("task.log", {})
    other = ActorRow(id="act_2", user_id="usr_1", name="coding")
    async with hub.follow(ACTOR, 0) as source, hub.follow(other, 0):
        await take(source, 1)
        await hub.end(ACTOR.id)
        await hub.end("act_nobody")
        assert await anext(source, b"end") == b"end"
        assert hub.subscriptions == 1


async def test_closing_the_hub_ends_streams(hub: EventHub, agent: FakeAgent) -> None:
    agent.emit("task.log", {})
    async with hub.follow(ACTOR, 0) as source:
        await take(source, 1)
        rest = asyncio.create_task(anext(source, b"end"))
        await hub.aclose()
        assert await rest == b"end"


async def test_streams_of_an_agent_that_was_removed_end(hub: EventHub, agent: FakeAgent) -> None:
    agent.emit("task.log", {})
    async with hub.follow(ACTOR, 0) as source:
        await take(source, 1)
        agent.tell(ActionError("not_found", "gone"))
        assert await anext(source, b"end") == b"end"
        with pytest.raises(NotFound):
            async with hub.follow(ACTOR, 0):
                pass
    assert hub.subscriptions == 0


async def test_a_user_may_hold_only_so_many_streams(hub: EventHub) -> None:
    with hub.seat("usr_1"), hub.seat("usr_1"), hub.seat("usr_1"):
        with pytest.raises(TooManyStreams), hub.seat("usr_1"):
            pass
        with hub.seat("usr_2"):
            pass
    with hub.seat("usr_1"):
        pass
