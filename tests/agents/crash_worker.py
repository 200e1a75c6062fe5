"""A worker process that a test kills: `python -m tests.agents.crash_worker FOLDER ENDPOINT POOL
STOP_AT [DEAD_WORKER]`.

It says on standard output what happens, one word a line, and stops for good at STOP_AT.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic_ai.models.function import AgentInfo
from pyrivet import Worker

from growqr.agents.grow import GrowAgent
from growqr.agents.job import TaskJob, Unanswered
from growqr.agents.memory import Memory
from growqr.agents.questions import Asking
from growqr.agents.subagent import SubAgent
from growqr.events import TaskResult
from growqr.git.forge import CommitInfo
from growqr.settings import Settings
from tests.agents.scripts import scripted
from tests.agents.world import open_services

STOP_AT = sys.argv[4]


async def reached(place: str) -> None:
    print(place, flush=True)  # noqa: T201
    if place == STOP_AT:
        await asyncio.get_running_loop().create_future()


class SlowMemory(Memory):
    """Commits, and may stop before anyone hears of it."""

    async def commit(self, *args: Any, **more: Any) -> CommitInfo:
        commit = await super().commit(*args, **more)
        await reached("committed")
        return commit


class Stepwise(SubAgent):
    """Does a task in three steps of its journal, or asks: `ask SECONDS`."""

    async def run_task(self, job: TaskJob) -> TaskResult:
        word, _, seconds = job.task.prompt.partition(" ")
        if word == "ask":
            asking = Asking("Tabs or spaces?", seconds=float(seconds))
            try:
                return TaskResult(summary=f"You said: {await job.ask(asking)}")
            except Unanswered:
                return TaskResult(summary="So it is no.")
        for step in ("one", "two", "three"):
            if not job.saved(step):
                await reached(f"step-{step}")
                await job.save(step, True)
        return TaskResult(summary="three steps")


async def script(done: list[Any], _info: AgentInfo) -> Any:
    await reached(f"model-{len(done)}")
    if not done:
        return {"remember": {"path": "tea", "content": "green", "reason": "said so"}}
    if len(done) == 1:
        return {"delegate": {"agent": "coding", "task": "go"}}
    return f"noted in {done[0]['path']}, task {done[1]['task_id']}"


async def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # not its words
    folder, endpoint, pool = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    settings = Settings(data_dir=folder)
    async with AsyncExitStack() as stack:
        opened = await open_services(stack, settings, endpoint, pool, scripted(script))
        services = replace(opened, memory=SlowMemory(opened.forge, opened.commits))
        worker = Worker(
            endpoint,
            {"grow": lambda: GrowAgent(services), "coding": lambda: Stepwise(services)},
            pool=pool,
            takeover=sys.argv[5] if len(sys.argv) > 5 else None,
            drain_timeout=timedelta(seconds=1),
        )
        await stack.enter_async_context(worker)
        await reached(f"worker={worker.envoy_key}")
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(main())
