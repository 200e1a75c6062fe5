"""Sleeping, waking, alarms, background work and the end of actors, on a real engine."""

import asyncio
from datetime import UTC, datetime, timedelta
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any

import pytest
from pyrivet import Actor, ActorNotFound, ActorOptions, _wake, action

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

SECONDS = 20


class Diary(Actor):
    """Notes what happens to it, in its database and for the test."""

    options = ActorOptions(sleep_after=timedelta(milliseconds=100))

    def __init__(self, seen: "asyncio.Queue[str]") -> None:
        self.seen = seen
        self.release = asyncio.Event()

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE note (text TEXT)")
        self.seen.put_nowait("create")

    async def on_start(self) -> None:
        self.seen.put_nowait(f"start {self.generation}")

    async def on_sleep(self) -> None:
        await self.db.execute("INSERT INTO note VALUES ('slept')")
        self.seen.put_nowait("sleep")

    async def on_destroy(self) -> None:
        self.seen.put_nowait("destroy")

    @action
    async def note(self, text: str) -> None:
        await self.db.execute("INSERT INTO note VALUES (?)", text)
        self.seen.put_nowait(text)

    @action
    async def notes(self) -> list[str]:
        return [row["text"] for row in await self.db.query("SELECT text FROM note ORDER BY rowid")]

    @action
    async def remind(self, milliseconds: int, text: str) -> str:
        return await self.schedule.after(timedelta(milliseconds=milliseconds), "note", text)

    @action
    async def remind_after_a_nap(self, milliseconds: int, text: str) -> None:
        await self.remind(milliseconds, text)
        self.sleep()

    @action
    async def forget(self, alarm: str) -> bool:
        return await self.schedule.cancel(alarm)

    @action
    async def remind_badly(self) -> None:
        with pytest.raises(ValueError, match="no action"):
            await self.schedule.at(datetime.now(UTC), "missing")
        with pytest.raises(ValueError, match="time zone"):
            await self.schedule.at(datetime(2030, 1, 1), "note", "x")

    @action
    async def nap(self) -> str:
        self.sleep()
        return "good night"

    @action
    async def end(self) -> str:
        self.destroy()
        return "farewell"

    @action
    async def give_up(self) -> str:
        work = self.release.wait()
        self.spawn(work).cancel()
        while getcoroutinestate(work) != CORO_CLOSED:
            await asyncio.sleep(0)
        return "gone"

    @action
    async def work(self) -> None:
        self.spawn(self.release.wait())

    @action
    async def finish(self) -> None:
        self.release.set()

    @action
    async def fail_in_background(self) -> None:
        async def fail() -> None:
            self.seen.put_nowait("failing")
            raise RuntimeError("on purpose")

        self.spawn(fail())


async def expect(seen: "asyncio.Queue[str]", *words: str) -> None:
    async with asyncio.timeout(SECONDS):
        for word in words:
            assert await seen.get() == word


@pytest.fixture
def seen() -> "asyncio.Queue[str]":
    return asyncio.Queue()


@pytest.fixture
async def diary(stage: Stage, key: list[str], seen: "asyncio.Queue[str]") -> Any:
    """Return a handle whose connection closes as soon as nobody uses it."""
    await stage.work(diary=lambda: Diary(seen))
    client = await stage.client(idle=timedelta(0))
    return client.get_or_create("diary", key)


async def test_sleeps_when_idle_and_wakes_with_what_it_stored(
    diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    await diary.call("note", "hello")
    await expect(seen, "create", "start 1", "hello", "sleep")
    assert await diary.call("notes") == ["hello", "slept"]
    await expect(seen, "start 2", "sleep")


async def test_stays_awake_while_a_client_is_connected(
    diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    async with diary.subscribe("anything"):
        await asyncio.sleep(0.3)  # three times its idle time
        assert await diary.call("notes") == []
        await expect(seen, "create", "start 1")
        assert seen.empty()
    await expect(seen, "sleep")


async def test_alarm_wakes_a_sleeping_actor_and_runs_once(
    diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    await diary.call("remind_after_a_nap", 1_000, "wake up")
    await expect(seen, "create", "start 1", "sleep", "start 2", "wake up", "sleep")
    assert await diary.call("notes") == ["slept", "wake up", "slept"]


async def test_does_not_fall_asleep_again_just_before_an_alarm(
    diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    await diary.call("remind_after_a_nap", 800, "wake up")
    await expect(seen, "create", "start 1", "sleep")
    await diary.call("notes")
    await expect(seen, "start 2", "wake up", "sleep")


async def test_alarm_runs_while_awake(diary: Any, seen: "asyncio.Queue[str]") -> None:
    async with diary.subscribe("anything"):
        await diary.call("remind", 20, "soon")
        await expect(seen, "create", "start 1", "soon")


async def test_cancelled_alarm_does_not_run(diary: Any, seen: "asyncio.Queue[str]") -> None:
    alarm = await diary.call("remind", 300, "never")
    assert await diary.call("forget", alarm)
    assert not await diary.call("forget", alarm)
    await diary.call("remind_after_a_nap", 400, "later")
    await expect(seen, "create", "start 1", "sleep", "start 2", "later")


async def test_alarm_for_nothing_is_refused(diary: Any) -> None:
    await diary.call("remind_badly")


async def test_background_work_keeps_it_awake(diary: Any, seen: "asyncio.Queue[str]") -> None:
    await diary.call("work")
    await asyncio.sleep(0.3)  # three times its idle time
    await diary.call("finish")
    await expect(seen, "create", "start 1", "sleep")


async def test_failing_background_work_does_no_harm(
    diary: Any, seen: "asyncio.Queue[str]", caplog: pytest.LogCaptureFixture
) -> None:
    await diary.call("fail_in_background")
    await expect(seen, "create", "start 1", "failing")
    assert await diary.call("notes") == []
    assert "actor.work_failed" in caplog.text


async def test_background_work_that_never_began_is_closed(diary: Any) -> None:
    assert await diary.call("give_up", timeout=timedelta(seconds=5)) == "gone"


async def test_sleeps_and_ends_when_it_wants_to(
    stage: Stage, key: list[str], diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    async with diary.subscribe("nothing"):  # it would stay awake
        assert await diary.call("nap") == "good night"
        await expect(seen, "create", "start 1", "sleep")
        assert await diary.call("end") == "farewell"
        await expect(seen, "start 2", "destroy")
    client = await stage.client()
    with pytest.raises(ActorNotFound):
        await client.get("diary", key).call("notes")


async def test_destroyed_actor_loses_everything(
    stage: Stage, key: list[str], diary: Any, seen: "asyncio.Queue[str]"
) -> None:
    await diary.call("note", "gone soon")
    await diary.destroy()
    await expect(seen, "create", "start 1", "gone soon", "destroy")
    client = await stage.client()
    with pytest.raises(ActorNotFound):
        await client.get("diary", key).call("notes")
    with pytest.raises(ActorNotFound):
        await diary.destroy()
    assert await diary.call("notes") == []
    await expect(seen, "create", "start 1")


async def test_moves_to_the_other_worker_when_one_leaves(
    stage: Stage, key: list[str], seen: "asyncio.Queue[str]"
) -> None:
    client = await stage.client()
    diary = client.get_or_create("diary", key)
    first = await stage.work(diary=lambda: Diary(seen))
    await diary.call("note", "before")
    second = await stage.work(diary=lambda: Diary(seen))
    await first.__aexit__(None, None, None)
    assert await diary.call("notes", retry=True) == ["before", "slept"]
    assert second.actors == 1
    await expect(seen, "create", "start 1", "before", "sleep", "start 2")


class Drowsy(Actor):
    options = ActorOptions(sleep_after=timedelta(milliseconds=1))

    @action
    async def wake(self) -> int:
        return self.generation


async def test_calls_while_it_falls_asleep_are_answered(stage: Stage, key: list[str]) -> None:
    await stage.work(drowsy=Drowsy)
    client = await stage.client(idle=timedelta(0))
    generations = [await client.get_or_create("drowsy", key).call("wake") for _ in range(15)]
    assert generations == sorted(generations)
    assert generations[-1] > 1


class Failing(Actor):
    """Cannot be created at first."""

    attempts = 0

    async def on_create(self) -> None:
        Failing.attempts += 1
        if Failing.attempts == 1:
            raise RuntimeError("on purpose")

    @action
    async def tries(self) -> int:
        return Failing.attempts


async def test_failed_creation_is_repeated_at_the_next_call(stage: Stage, key: list[str]) -> None:
    await stage.work(failing=Failing)
    client = await stage.client()
    assert await client.get_or_create("failing", key).call("tries") == 2


class Stumbling(Diary):
    """Fails to start the second time."""

    async def on_start(self) -> None:
        await super().on_start()
        if self.generation == 2:
            raise RuntimeError("on purpose")

    async def on_sleep(self) -> None:
        await super().on_sleep()
        if self.generation == 1:  # the next generation is the first that can run it
            await self.schedule.after(timedelta(0), "note", "wake up")


async def test_alarm_outlives_a_failed_start(
    stage: Stage, key: list[str], seen: "asyncio.Queue[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wake, "_RETRY_START_MS", 300)
    await stage.work(stumbling=lambda: Stumbling(seen))
    client = await stage.client(idle=timedelta(0))
    await client.get_or_create("stumbling", key).call("nap")
    await expect(seen, "create", "start 1", "sleep", "start 2", "start 3", "wake up")


def test_actor_is_only_usable_in_a_worker(seen: "asyncio.Queue[str]") -> None:
    with pytest.raises(RuntimeError, match="worker"):
        _ = Diary(seen).db
