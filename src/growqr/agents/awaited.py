"""Tasks that an agent has others do, and waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pyrivet import ActionError

from growqr.agents.outbox import Letter
from growqr.events import Task

if TYPE_CHECKING:
    from growqr.agents.job import TaskJob
    from growqr.agents.subagent import SubAgent

SCHEMA = "CREATE TABLE IF NOT EXISTS delegated (id TEXT PRIMARY KEY, json TEXT);"


class Awaited:
    """What one agent asked of others: written with the wish, and again when it is finished."""

    def __init__(self, agent: SubAgent) -> None:
        self._agent = agent
        self._waiting: dict[str, asyncio.Future[Task]] = {}

    async def wait(self, job: TaskJob, request: dict[str, Any]) -> Task:
        """Ask the Grow Agent for a task of another agent and wait until it is finished."""
        agent, task_id = self._agent, str(request["task_id"])
        rows = await agent.db.query("SELECT json FROM delegated WHERE id = ?", task_id)
        if rows and rows[0]["json"]:
            return Task.model_validate_json(rows[0]["json"])
        waiting = self._waiting.setdefault(task_id, asyncio.get_running_loop().create_future())
        if not rows:
            async with agent.event_log.change() as change:
                change.execute("INSERT INTO delegated (id) VALUES (?)", task_id)
                agent.outbox.put(change, "grow", agent.spec.parent_id or "", "delegate", request)
        job.slot.free()
        try:
            task = await waiting
        finally:
            self._waiting.pop(task_id, None)
        await job.slot.take()
        return task

    async def finished(self, task: Task) -> None:
        """Record that a task is finished and wake who waits for it. Safe to repeat."""
        await self._agent.db.execute(
            "INSERT OR REPLACE INTO delegated (id, json) VALUES (?, ?)",
            task.id,
            task.model_dump_json(),
        )
        waiting = self._waiting.get(task.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(task)

    async def refused(self, letter: Letter, error: ActionError) -> None:
        """The Grow Agent refused to delegate: the wait for that task ends with a failed one."""
        if letter.action != "delegate":
            return
        request = letter.args[0]
        await self.finished(
            Task(
                id=request["task_id"],
                actor_id="",
                agent=request["agent"],
                title=request["title"],
                prompt=request["prompt"],
                status="failed",
                reason=error.message,
                requested_by=self._agent.spec.actor_id,
            )
        )
