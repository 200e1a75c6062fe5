"""`kill -9` of the worker in the middle of a turn, of a task, and of a question."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from growqr.settings import Settings
from tests.agents.world import World, add_user, open_services

pytestmark = [pytest.mark.anyio, pytest.mark.live]

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    """A worker process and the words it has said."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def until(self, start: str) -> str:
        """Return the next word that begins with `start`."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said.append(line.decode().strip())
            if self.said[-1].startswith(start):
                return self.said[-1]
        raise AssertionError(f"the worker ended: {self.said}")

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def worker(home: World, *, stop_at: str, dead: str = "") -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.agents.crash_worker",
        str(home.services.settings.data_dir),
        home.endpoint,
        home.pool,
        stop_at,
        *([dead] if dead else []),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.kill()


@asynccontextmanager
async def registry(folder: Path, endpoint: str) -> AsyncIterator[World]:
    """A user's world whose workers are processes of their own."""
    (folder / "db").mkdir()
    pool = f"crash-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        settings = Settings(data_dir=folder)
        services = await open_services(stack, settings, endpoint, pool, None)
        user_id, ids, repo = await add_user(services, ["grow", "coding"])
        yield World(services, services.client, endpoint, pool, user_id, ids, repo)


@pytest.mark.parametrize(
    ("stop_at", "goes_on_with"),
    [
        ("model-0", ["model-0", "model-1", "model-2", "committed"]),
        ("model-1", ["model-1", "model-2", "committed"]),
        ("model-2", ["model-2", "committed"]),
        ("committed", ["model-2", "committed"]),
    ],
)
async def test_a_killed_turn_goes_on_and_repeats_nothing(
    tmp_path: Path, engine: str, stop_at: str, goes_on_with: list[str]
) -> None:
    async with registry(tmp_path, engine) as home:
        async with worker(home, stop_at=stop_at) as first:
            key = (await first.until("worker=")).partition("=")[2]
            await home.events("coding")  # an actor that starts as its worker dies takes 30 s more
            message_id = await home.post("remember tea")
            await first.until(stop_at)
            await first.kill()
            await home.client.aclose()  # its connection leads to the dead worker for a while yet
        async with worker(home, stop_at="", dead=key) as second:
            reply = await home.reply_to(message_id)
            assert reply["text"].startswith("noted in memory/tea.md, task tsk_")
            (task_id,) = reply["metadata"]["task_ids"]
            await home.task_event("task.completed", task_id)
            assert len(await home.answers(message_id)) == 1
            await second.until("committed")
            said = [word for word in second.said if not word.startswith(("worker", "step"))]
            assert said == goes_on_with

        commits = await home.services.forge.commits(home.repo, path="memory/tea.md")
        assert len(commits) == 1


async def test_a_killed_task_goes_on_from_its_journal(tmp_path: Path, engine: str) -> None:
    async with registry(tmp_path, engine) as home:
        async with worker(home, stop_at="step-two") as first:
            key = (await first.until("worker=")).partition("=")[2]
            await home.events("grow")
            message_id = await home.post("go", to="coding")
            await first.until("step-two")
            await first.kill()
            await home.client.aclose()  # its connection leads to the dead worker for a while yet
        async with worker(home, stop_at="", dead=key) as second:
            reply = await home.reply_to(message_id, at="coding")
            assert reply["text"] == "three steps"
            await second.until("step-three")
            assert [word for word in second.said if word.startswith("step")] == [
                "step-two",
                "step-three",
            ]
            await home.reply_to(message_id)  # the Grow Agent has heard of it too
            finished = [e for e in await home.events() if e["type"] == "task.completed"]
            assert len(finished) == 1


@pytest.mark.parametrize(
    ("seconds", "answer", "outcome", "summary"),
    [
        (900, "Spaces", "answered", "You said: Spaces"),
        (2, None, "expired", "So it is no."),
    ],
)
async def test_a_question_outlives_a_killed_worker_and_so_does_its_deadline(
    tmp_path: Path, engine: str, seconds: int, answer: str | None, outcome: str, summary: str
) -> None:
    async with registry(tmp_path, engine) as home:
        async with worker(home, stop_at="") as first:
            key = (await first.until("worker=")).partition("=")[2]
            await home.events("grow")  # an actor that starts as its worker dies takes 30 s more
            message_id = await home.post(f"ask {seconds}", to="coding")
            waiting = await home.until(lambda e: e["type"] == "task.waiting", at="coding")
            await first.kill()
            await home.client.aclose()  # its connection leads to the dead worker for a while yet
        question = waiting["data"]["question"]
        async with worker(home, stop_at="", dead=key):
            if answer is not None:
                task = await home.agent("coding").call("task", waiting["task_id"], retry=True)
                assert (task["status"], task["question"]) == ("waiting", question)
                await home.post(answer, to="coding", answers=question["id"])
            assert (await home.reply_to(message_id, at="coding"))["text"] == summary
            events = await home.events("coding")
        assert [e["type"] for e in events].count("task.waiting") == 1
        resumed = next(e["data"] for e in events if e["type"] == "task.resumed")
        assert resumed["closed_question"]["id"] == question["id"]
        assert resumed["closed_question"]["outcome"] == outcome
