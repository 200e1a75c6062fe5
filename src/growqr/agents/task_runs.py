"""The work on an agent's tasks: which of them run now, and what becomes of each run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from pyrivet import ActionError

from growqr.agents import journal, task_rows, tasks
from growqr.agents.job import Slot, TaskFailed, TaskJob
from growqr.errors import GrowError
from growqr.events import ChannelMessage

if TYPE_CHECKING:
    from growqr.agents.subagent import SubAgent

log = structlog.get_logger(__name__)


class TaskRuns:
    """One run for each task that is neither paused nor finished; `max_running` work at once."""

    def __init__(self, agent: SubAgent, max_running: int) -> None:
        self._agent = agent
        self._places = asyncio.Semaphore(max_running)
        self._jobs: dict[str, TaskJob] = {}
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._interrupted: set[str] = set()

    @property
    def begun(self) -> bool:
        """Whether a task has begun and not ended, also one that waits."""
        return bool(self._jobs)

    def start(self) -> None:
        """Start what should run and does not yet, oldest first."""
        if not self._agent.running:
            return
        for task in self._agent.tasks.values():
            if task.status != "paused" and task.id not in self._runs:
                self._runs[task.id] = self._agent.spawn(self._work(task.id), name=f"task {task.id}")

    def interrupt(self, task_id: str) -> None:
        """End a task's run; as a `Change.then`, so that it writes nothing after the change."""
        if run := self._runs.get(task_id):
            self._interrupted.add(task_id)
            run.cancel()

    def take_answer(self, task_id: str, message: ChannelMessage | None) -> None:
        """Hand an answer that is written to the run that waits for it; None: there was none."""
        job = self._jobs.get(task_id)
        if job is not None and job.answer is not None and not job.answer.done():
            job.answer.set_result(message)

    async def _work(self, task_id: str) -> None:
        agent, slot = self._agent, Slot(self._places)
        try:
            await slot.take()
            saved = await journal.entries(agent, task_id)
            job = TaskJob(agent, task_id, saved, await task_rows.log_bytes(agent, task_id), slot)
            self._jobs[task_id] = job
            if job.task.status == "queued":
                async with agent.event_log.change() as change:
                    task = agent.update(change, task_id, status="running")
                    tasks.emit(change, "task.started", task)
                    agent.note_status(change, "working")
            await self._attempt(job)
        finally:
            slot.free()
            self._jobs.pop(task_id, None)
            self._runs.pop(task_id, None)
            if task_id in self._interrupted:  # maybe resumed while it wound down
                self._interrupted.discard(task_id)
                self.start()

    async def _attempt(self, job: TaskJob) -> None:
        try:
            result = await self._agent.run_task(job)
        except TaskFailed as failure:
            reason = str(failure)
        except GrowError as error:
            reason = error.detail
        except ActionError as error:
            reason = error.message
        except Exception:
            actor_id = self._agent.spec.actor_id
            log.exception("task.crashed", task_id=job.task_id, actor_id=actor_id)
            reason = "Something went wrong on our side."
        else:
            await self._agent.finish(job.task_id, status="completed", result=result, progress=1.0)
            return
        await self._agent.finish(job.task_id, status="failed", reason=reason)
