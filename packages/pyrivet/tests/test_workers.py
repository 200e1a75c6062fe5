"""More than one worker: actors spread, move, and never run in two places at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pyrivet import ActorHandle, CallInterrupted, Client

from .conftest import Stage
from .fleet import Fleet, Member, fleet_of

pytestmark = [pytest.mark.anyio, pytest.mark.live]

RECOVERY = timedelta(seconds=40)
ACTORS = 12


@pytest.fixture
async def fleet(stage: Stage) -> AsyncIterator[Fleet]:
    async with fleet_of(stage.endpoint, stage.pool, stage.token) as fleet:
        yield fleet


async def tallies(stage: Stage, key: list[str]) -> list[ActorHandle]:
    client = await stage.client()
    return [client.get_or_create("tally", [*key, str(number)]) for number in range(ACTORS)]


async def places(actors: list[ActorHandle]) -> list[int]:
    found = [actor.call("place", retry=True, timeout=RECOVERY) for actor in actors]
    return [pid for pid, _ in await asyncio.gather(*found)]


async def grown(diary: Path, lines: int) -> list[int]:
    """Wait until the diary has so many more lines; returns the generations that wrote it."""
    start = len(diary.read_text().splitlines()) if diary.exists() else 0
    async with asyncio.timeout(RECOVERY.total_seconds()):
        while len(written := diary.read_text().splitlines() if diary.exists() else []) < (
            start + lines
        ):
            await asyncio.sleep(0.05)
    return [int(line) for line in written]


async def test_actors_spread_and_those_of_a_killed_worker_come_up_on_the_other(
    stage: Stage, fleet: Fleet, key: list[str]
) -> None:
    first, second = await fleet.add(), await fleet.add()
    actors = await tallies(stage, key)
    await asyncio.gather(*(actor.call("note", "kept") for actor in actors))
    assert set(await places(actors)) == {first.pid, second.pid}
    await first.kill()
    assert set(await places(actors)) == {second.pid}
    for actor in actors:
        assert await actor.call("notes") == ["kept"]


async def test_drain_under_load_loses_no_call_and_no_request(
    stage: Stage, fleet: Fleet, key: list[str]
) -> None:
    first, second = await fleet.add(), await fleet.add()
    actors = await tallies(stage, key)
    assert set(await places(actors)) == {first.pid, second.pid}
    left = asyncio.Event()
    loaded = asyncio.Semaphore(0)

    async def call(actor: ActorHandle) -> list[str]:
        sent = 0
        while not left.is_set():
            await actor.call("note", str(sent), timeout=RECOVERY)
            sent += 1
            loaded.release()
        return [str(number) for number in range(sent)]

    async def request(actor: ActorHandle) -> tuple[list[str], set[str]]:
        """Return what was answered, and what may or may not have happened."""
        sent, unknown = 0, set[str]()
        while not left.is_set():
            try:
                await actor.call("note", f"http {sent}", over_http=True, timeout=RECOVERY)
            except CallInterrupted:
                unknown.add(f"http {sent}")
            sent += 1
            loaded.release()
        return [f"http {number}" for number in range(sent)], unknown

    calls = [asyncio.create_task(call(actor)) for actor in actors[3:]]
    requests = [asyncio.create_task(request(actor)) for actor in actors[:3]]
    for _ in range(10 * ACTORS):
        await loaded.acquire()
    assert await first.drain() == 0
    assert set(await places(actors)) == {second.pid}
    left.set()
    for actor, texts in zip(actors[3:], await asyncio.gather(*calls), strict=True):
        assert await actor.call("notes") == texts
    for actor, (texts, unknown) in zip(actors, await asyncio.gather(*requests), strict=False):
        notes = await actor.call("notes")
        assert notes == [text for text in texts if text in notes or text not in unknown]


async def test_paused_worker_does_not_act_on_actors_it_has_lost(
    stage: Stage, fleet: Fleet, key: list[str], tmp_path: Path
) -> None:
    first = await fleet.add()
    client = await stage.client()
    tally = client.get_or_create("tally", key)
    diary = tmp_path / "diary"
    await tally.call("keep_diary", str(diary))
    await grown(diary, 20)
    first.pause()
    second = await fleet.add()
    moved = await grown(diary, 20)
    assert moved[0] < moved[-1]
    first.resume()
    await takes_actors(client, key, first)
    await grown(diary, 20)
    await second.kill()
    written = await grown(diary, 20)
    assert all(before <= after for before, after in pairwise(written))
    noted = await tally.call("generations", retry=True, timeout=RECOVERY)
    assert all(before <= after for before, after in pairwise(noted))
    assert (await tally.call("place"))[0] == first.pid


async def takes_actors(client: Client, key: list[str], member: Member) -> None:
    """Wait until the engine gives new actors to this process again."""
    async with asyncio.timeout(RECOVERY.total_seconds()):
        number, pid = 0, 0
        while pid != member.pid:
            number += 1
            other = client.get_or_create("tally", [*key, "other", str(number)])
            pid, _ = await other.call("place", retry=True)
