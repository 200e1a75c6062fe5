"""Agents that do tasks: a queue, a journal for each task, and reports to the Grow Agent."""

from abc import abstractmethod
from typing import Any

from pyrivet import ActionError, DatabaseError, action

from growqr.agents import awaited, journal, messages, task_rows, tasks
from growqr.agents.awaited import Awaited
from growqr.agents.base import AgentActor
from growqr.agents.eventlog import Change
from growqr.agents.forward import Forwarder
from growqr.agents.job import TaskJob
from growqr.agents.outbox import Letter
from growqr.agents.questions import Questions
from growqr.agents.restore import restore_sub_agent
from growqr.agents.services import AgentServices
from growqr.agents.snapshot import Snapshot
from growqr.agents.task_runs import TaskRuns
from growqr.billing.entitlement import PlanLimitReached, require_agent
from growqr.events import ChannelMessage, Event, Task, TaskResult
from growqr.ids import derived_id

MAX_UNFINISHED = 100
"""Tasks that may wait at one agent."""

STOPPED = "The agent is stopped."


class SubAgent(AgentActor):
    """An agent that does tasks, `max_running` at once, oldest first.

    Subclasses write `run_task`. A task that was running when the process died runs again with
    its journal. A task that waits (for the user, for another agent) gives up its place.
    """

    schema = AgentActor.schema + task_rows.SCHEMA + awaited.SCHEMA + journal.SCHEMA
    max_running = 1
    waits_in_place = False
    """Whether a task that waits for the user keeps its place, so that no other one begins."""

    def __init__(self, services: AgentServices) -> None:
        super().__init__(services)
        self.tasks: dict[str, Task] = {}
        """Unfinished tasks by id, oldest first."""
        self.questions = Questions(self)
        self.awaited = Awaited(self)
        self.task_runs = TaskRuns(self, self.max_running)
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
        self.tasks = {task.id: task for task in await task_rows.unfinished(self)}
        await self.questions.load()
        if self.running:
            self.status = "working" if self.busy() else "idle"

    async def begin(self) -> None:
        await restore_sub_agent(self)
        self._forwarder = Forwarder(self, self.services, self.spec, self.event_log)
        await self._forwarder.start()
        self.task_runs.start()

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

    async def running_changed(self) -> None:
        for task in list(self.tasks.values()):
            if not self.running and task.status != "paused":
                await self._pause(task, STOPPED)
            elif self.running and task.status == "paused" and task.reason == STOPPED:
                await self.resume(task.id)
        self.task_runs.start()

    # Messages

    async def on_message(self, message: ChannelMessage) -> None:
        """Answer the question that is meant; else it is a new task."""
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
            self.task_runs.start()
        return task.model_dump(mode="json")

    @action
    async def cancel(self, task_id: str) -> dict[str, Any]:
        """End a task for good. Refused when it is completed or failed."""
        known = await self._known(task_id)
        if known.status == "cancelled":
            return known.model_dump(mode="json")
        await self._unfinished(task_id)
        return (
            await self.finish(task_id, status="cancelled", reason="Cancelled by you.")
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
        task_rows.add(change, task, change.next_seq)
        tasks.emit(change, "task.created", task)
        self.note_status(change, "working")
        change.then(lambda: self.tasks.__setitem__(task.id, task))
        change.then(self.task_runs.start)

    def update(self, change: Change, task_id: str, **fields: Any) -> Task:
        """Add new fields of an unfinished task to `change` and return the task with them.

        Raises ActionError `conflict` when the task is finished.
        """
        if task_id not in self.tasks:
            raise ActionError("conflict", "The task is already finished.")
        if fields.get("status", "waiting") != "waiting":
            fields["question"] = None
        task = tasks.moved(self.tasks[task_id], **fields)
        task_rows.keep(change, task)
        if tasks.finished(task):
            change.then(lambda: self.tasks.pop(task_id, None))
        else:
            change.then(lambda: self.tasks.__setitem__(task_id, task))
        return task

    async def refused(self, letter: Letter, error: ActionError) -> None:
        await self.awaited.refused(letter, error)

    # Tasks: how they end

    async def finish(self, task_id: str, **fields: Any) -> Task:
        """Record a task's end and say it in the channel; returns the task as it is then."""
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
                change.then(lambda: self.task_runs.interrupt(task_id))
        return task

    async def _pause(self, task: Task, reason: str) -> None:
        async with self.event_log.change() as change:
            paused = self.update(change, task.id, status="paused", reason=reason)
            tasks.emit(change, "task.paused", paused)
            if not self.busy(without=task.id):
                self.note_status(change, "idle")
            change.then(lambda: self.task_runs.interrupt(task.id))

    def closing_words(self, task: Task) -> str:
        """Return what the channel is told when a task ends."""
        if task.status == "completed" and task.result is not None:
            return task.result.summary
        return f"“{task.title}” {task.status}. {task.reason or ''}".strip()

    async def _find(self, task_id: str) -> Task | None:
        return self.tasks.get(task_id) or await task_rows.find(self, task_id)

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
