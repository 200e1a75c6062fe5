"""Agents that do tasks: a queue, a journal for each task, and reports to the Grow Agent."""

import asyncio
from abc import abstractmethod
from typing import Any

import structlog
from pyrivet import ActionError, DatabaseError, action

from growqr.agents import awaited, journal, messages, tasks
from growqr.agents.awaited import Awaited
from growqr.agents.base import AgentActor
from growqr.agents.eventlog import Change
from growqr.agents.forward import Forwarder
from growqr.agents.job import Slot, TaskFailed, TaskJob
from growqr.agents.outbox import Letter
from growqr.agents.questions import Questions
from growqr.agents.restore import restore_sub_agent
from growqr.agents.services import AgentServices
from growqr.agents.snapshot import Snapshot
from growqr.billing.entitlement import PlanLimitReached, require_agent
from growqr.errors import GrowError
from growqr.events import ChannelMessage, Event, Task, TaskResult
from growqr.ids import derived_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    status TEXT NOT NULL,
    log_bytes INTEGER NOT NULL DEFAULT 0,
    json TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tasks_by_status ON tasks (status, position);
"""

MAX_UNFINISHED = 100
"""Tasks that may wait at one agent."""

STOPPED = "The agent is stopped."

log = structlog.get_logger(__name__)


class SubAgent(AgentActor):
    """An agent that does tasks, `max_running` at once, oldest first.

    Subclasses write `run_task`. A task that was running when the process died runs again with
    its journal. A task that waits (for the user, for another agent) gives up its place.
    """

    schema = AgentActor.schema + SCHEMA + awaited.SCHEMA + journal.SCHEMA
    max_running = 1
    waits_in_place = False
    """Whether a task that waits for the user keeps its place, so that no other one begins."""

    def __init__(self, services: AgentServices) -> None:
        super().__init__(services)
        self.tasks: dict[str, Task] = {}
        """Unfinished tasks by id, oldest first."""
        self.questions = Questions(self)
        self.awaited = Awaited(self)
        self._jobs: dict[str, TaskJob] = {}
        self._runs: dict[str, asyncio.Task[Any]] = {}
        self._interrupted: set[str] = set()
        self._places = asyncio.Semaphore(self.max_running)
        self._forwarder: Forwarder | None = None

    @abstractmethod
    async def run_task(self, job: TaskJob) -> TaskResult:
        """Do the task; raise TaskFailed when it can't be done.

        Runs again from the start, with the same journal, after a crash or a pause; cancelled
        when the task is paused or cancelled.
        """

    # Life

    async def load(self) -> None:
        await super().load()
        rows = await self.db.query(
            "SELECT json FROM tasks WHERE status IN ('queued', 'running', 'waiting', 'paused')"
            " ORDER BY position"
        )
        loaded = [Task.model_validate_json(row["json"]) for row in rows]
        self.tasks = {task.id: task for task in loaded}
        await self.questions.load()
        if self.running:
            self.status = "working" if self.busy() else "idle"

    async def begin(self) -> None:
        await restore_sub_agent(self)
        self._forwarder = Forwarder(self, self.services, self.spec, self.event_log)
        await self._forwarder.start()
        self._start_runs()

    async def restore_more(self, change: Change, saved: Snapshot, own: list[Task]) -> None:
        """Hook: add what else of this agent the repository holds; `own` are its tasks."""

    def heard(self, events: list[Event]) -> None:
        if self._forwarder is not None:  # else these are of a restore, before `begin` is done
            self._forwarder.wake()

    def busy(self, without: str | None = None) -> bool:
        working = any(
            task.status in ("queued", "running") and task.id != without
            for task in self.tasks.values()
        )
        return working or super().busy(without)

    @property
    def at_work(self) -> bool:
        """Whether a task has begun and not ended, also one that waits."""
        return bool(self._jobs)

    async def running_changed(self) -> None:
        for task in list(self.tasks.values()):
            if not self.running and task.status != "paused":
                await self._pause(task, STOPPED)
            elif self.running and task.status == "paused" and task.reason == STOPPED:
                await self.resume(task.id)
        self._start_runs()

    # Messages

    async def on_message(self, message: ChannelMessage) -> None:
        """Answer the question that is meant, or the oldest open one; else it is a new task."""
        asker = self.questions.meant_by(message)
        if asker is not None:
            thanks = f"Thanks. I go on with “{asker.title}”."
            await self.questions.answer(asker, message, thanks)
            return
        async with self.event_log.change() as change:
            self.add_task(change, self.task_of(message))
            self.mark_handled(change, message.id, busy=True)

    async def say_once(
        self,
        text: str,
        *,
        message_id: str,
        in_reply_to: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Post a message; nothing happens if it, or an answer to the same message, is there."""
        try:
            async with self.event_log.change() as change:
                messages.store(
                    change,
                    message_id=message_id,
                    role="agent",
                    author=self.spec.name,
                    text=messages.cut(text),
                    in_reply_to=in_reply_to,
                    metadata=metadata,
                )
        except DatabaseError:
            there = await messages.find(self, message_id, None)
            if there is None and not (in_reply_to and await self.answered(in_reply_to)):
                raise

    # Tasks: what others call

    @action
    async def assign(self, task: Task) -> dict[str, Any]:
        """Take a task into the queue. A repeat returns the task as it is now."""
        known = await self._find(task.id)
        if known is not None:
            return known.model_dump(mode="json")
        await self._require_plan()
        if len(self.tasks) >= MAX_UNFINISHED:
            raise ActionError("too_many", f"{self.spec.name} already has {MAX_UNFINISHED} tasks.")
        task = task.model_copy(update={"actor_id": self.spec.actor_id, "agent": self.spec.name})
        requester = next(
            (n for n, s in self.spec.siblings.items() if s.actor_id == task.requested_by), "system"
        )
        async with self.event_log.change() as change:
            self.add_task(change, task)
            self.say(
                change,
                task.prompt,
                message_id=derived_id("msg", task.id, "assigned"),
                author=requester,
                metadata={"task_id": task.id, "assigned": True},
            )
        return task.model_dump(mode="json")

    async def _require_plan(self) -> None:
        """Refuse when the plan does not have this agent; who owes may pay, so their tasks wait."""
        entitlement = await self.services.entitlements.check(self.spec.user_id)
        try:
            require_agent(entitlement, self.spec.name)
        except PlanLimitReached as error:
            raise ActionError(error.code, error.detail) from None

    @action(concurrent=True)
    async def task(self, task_id: str) -> dict[str, Any]:
        """Return one task of this agent, finished or not."""
        return (await self._known(task_id)).model_dump(mode="json")

    @action
    async def pause(self, task_id: str) -> dict[str, Any]:
        """Interrupt a task; its journal stays. Refused when it is finished."""
        task = await self._unfinished(task_id)
        if task.status != "paused":
            await self._pause(task, "Paused by you.")
        return self.tasks[task_id].model_dump(mode="json")

    @action
    async def resume(self, task_id: str) -> dict[str, Any]:
        """Put a paused task back into the queue; it goes on from its journal."""
        task = await self._unfinished(task_id)
        if task.status == "paused":
            async with self.event_log.change() as change:
                task = self.update(change, task_id, status="queued", reason=None)
                tasks.emit(change, "task.resumed", task)
                self.note_status(change, "working")
            self._start_runs()
        return task.model_dump(mode="json")

    @action
    async def cancel(self, task_id: str) -> dict[str, Any]:
        """End a task for good. Refused when it is completed or failed."""
        known = await self._known(task_id)
        if known.status == "cancelled":
            return known.model_dump(mode="json")
        await self._unfinished(task_id)
        return (
            await self._finish(task_id, status="cancelled", reason="Cancelled by you.")
        ).model_dump(mode="json")

    @action
    async def task_finished(self, task: Task) -> None:
        """Hear that a task which this agent asked for is finished. Safe to repeat."""
        await self.awaited.finished(task)

    @action
    async def question_expired(self, task_id: str, question_id: str) -> None:
        """Close a question whose time is up: the alarm of its deadline. Safe to repeat."""
        await self.questions.expire(task_id, question_id)

    # Tasks: what subclasses and jobs use

    def task_of(self, message: ChannelMessage, **fields: Any) -> Task:
        """Return the task that a user's message in this channel stands for."""
        given: dict[str, Any] = {
            "id": derived_id("tsk", message.id),
            "actor_id": self.spec.actor_id,
            "agent": self.spec.name,
            "title": tasks.title_of(message.text),
            "prompt": message.text,
            "requested_by": self.spec.actor_id,
            "message_id": message.id,
        }
        return Task(**(given | fields))

    def add_task(self, change: Change, task: Task) -> None:
        """Add a new task to the queue as part of `change`; it starts once that is committed."""
        task = task.model_copy(update={"prompt": messages.cut(task.prompt, tasks.MAX_PROMPT_BYTES)})
        change.execute(
            "INSERT INTO tasks (id, position, status, json) VALUES (?, ?, ?, ?)",
            task.id,
            change.next_seq,
            task.status,
            task.model_dump_json(),
        )
        tasks.emit(change, "task.created", task)
        self.note_status(change, "working")
        change.then(lambda: self.tasks.__setitem__(task.id, task))
        change.then(self._start_runs)

    def update(self, change: Change, task_id: str, **fields: Any) -> Task:
        """Add new fields of an unfinished task to `change` and return the task with them.

        Raises ActionError `conflict` when the task is finished.
        """
        if task_id not in self.tasks:
            raise ActionError("conflict", "The task is already finished.")
        if fields.get("status", "waiting") != "waiting":
            fields["question"] = None
        task = tasks.moved(self.tasks[task_id], **fields)
        change.execute(
            "UPDATE tasks SET status = ?, json = ? WHERE id = ?",
            task.status,
            task.model_dump_json(),
            task.id,
        )
        if tasks.finished(task):
            change.then(lambda: self.tasks.pop(task_id, None))
        else:
            change.then(lambda: self.tasks.__setitem__(task_id, task))
        return task

    async def refused(self, letter: Letter, error: ActionError) -> None:
        await self.awaited.refused(letter, error)

    # Running

    def _start_runs(self) -> None:
        if not self.running:
            return
        for task in self.tasks.values():
            if task.status != "paused" and task.id not in self._runs:
                self._runs[task.id] = self.spawn(self._work(task.id), name=f"task {task.id}")

    async def _work(self, task_id: str) -> None:
        slot = Slot(self._places)
        try:
            await slot.take()
            job = TaskJob(
                self,
                task_id,
                await journal.entries(self, task_id),
                await self._logged(task_id),
                slot,
            )
            self._jobs[task_id] = job
            if job.task.status == "queued":
                async with self.event_log.change() as change:
                    task = self.update(change, task_id, status="running")
                    tasks.emit(change, "task.started", task)
                    self.note_status(change, "working")
            await self._attempt(job)
        finally:
            slot.free()
            self._jobs.pop(task_id, None)
            self._runs.pop(task_id, None)
            if task_id in self._interrupted:  # maybe resumed while it wound down
                self._interrupted.discard(task_id)
                self._start_runs()

    async def _attempt(self, job: TaskJob) -> None:
        try:
            result = await self.run_task(job)
        except TaskFailed as failure:
            await self._finish(job.task_id, status="failed", reason=str(failure))
        except GrowError as error:
            await self._finish(job.task_id, status="failed", reason=error.detail)
        except ActionError as error:
            await self._finish(job.task_id, status="failed", reason=error.message)
        except Exception:
            log.exception("task.crashed", task_id=job.task_id, actor_id=self.spec.actor_id)
            await self._finish(
                job.task_id, status="failed", reason="Something went wrong on our side."
            )
        else:
            await self._finish(job.task_id, status="completed", result=result, progress=1.0)

    async def _pause(self, task: Task, reason: str) -> None:
        async with self.event_log.change() as change:
            paused = self.update(change, task.id, status="paused", reason=reason)
            tasks.emit(change, "task.paused", paused)
            if not self.busy(without=task.id):
                self.note_status(change, "idle")
            change.then(lambda: self._interrupt(task.id))

    async def _finish(self, task_id: str, **fields: Any) -> Task:
        task = self.tasks[task_id]
        own = task.requested_by == self.spec.actor_id and task.message_id is not None
        owed = task.message_id if own else None
        if owed and await self.answered(owed):
            owed = None
        async with self.event_log.change() as change:
            task = self.update(change, task_id, **fields)
            tasks.emit(change, tasks.EVENT_OF[task.status], task)
            messages.store(
                change,
                message_id=derived_id("msg", task_id, "finished"),
                role="agent",
                author=self.spec.name,
                text=messages.cut(self.closing_words(task)),
                in_reply_to=owed,
                metadata={"task_id": task_id, "task_ids": [task_id], "status": task.status},
            )
            journal.drop(change, task_id)
            if not self.busy(without=task_id):
                self.note_status(change, "idle")
            change.then(lambda: self.questions.forget(task_id))
            if task.status == "cancelled":
                change.then(lambda: self._interrupt(task_id))
        return task

    def closing_words(self, task: Task) -> str:
        """Return what the channel is told when a task ends."""
        if task.status == "completed" and task.result is not None:
            return task.result.summary
        return f"“{task.title}” {task.status}. {task.reason or ''}".strip()

    def _interrupt(self, task_id: str) -> None:
        # Called with the log's lock held: the run can't write between the change and this.
        if run := self._runs.get(task_id):
            self._interrupted.add(task_id)
            run.cancel()

    def take_answer(self, task_id: str, message: ChannelMessage | None) -> None:
        """Hand an answer that is written to the run that waits for it; None: there was none."""
        job = self._jobs.get(task_id)
        if job is not None and job.answer is not None and not job.answer.done():
            job.answer.set_result(message)

    async def _logged(self, task_id: str) -> int:
        rows = await self.db.query("SELECT log_bytes FROM tasks WHERE id = ?", task_id)
        return int(rows[0]["log_bytes"]) if rows else 0

    async def _find(self, task_id: str) -> Task | None:
        if task := self.tasks.get(task_id):
            return task
        rows = await self.db.query("SELECT json FROM tasks WHERE id = ?", task_id)
        return Task.model_validate_json(rows[0]["json"]) if rows else None

    async def _known(self, task_id: str) -> Task:
        task = await self._find(task_id)
        if task is None:
            raise ActionError("not_found", "No task of that id.")
        return task

    async def _unfinished(self, task_id: str) -> Task:
        task = await self._known(task_id)
        if tasks.finished(task):
            raise ActionError("conflict", f"The task is already {task.status}.")
        return task
