"""Questions that tasks ask their user: open until they are answered, or until their time is up.

A question is a message in the agent's channel and the task's `question` while it waits. Its
deadline is a durable alarm, so it holds whatever happens to the process meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from growqr.agents import journal, messages, tasks
from growqr.agents.decisions import side_in
from growqr.errors import Conflict
from growqr.events import ChannelMessage, Question, QuestionKind, Task, now
from growqr.ids import derived_id, new_id

if TYPE_CHECKING:
    from growqr.agents.eventlog import Change
    from growqr.agents.job import TaskJob
    from growqr.agents.subagent import SubAgent

ALARM = "question_expired"
"""The agent's action that a deadline runs."""
_ASKING = "asking"
_EXPIRED = {"expired": True}
_OPTIONS = 20


class QuestionClosed(Conflict):
    """The question was answered before, its time was up, or its task is over."""

    code = "question_closed"


@dataclass(frozen=True)
class Asking:
    """A question as a task puts it."""

    text: str
    options: Sequence[str] = ()
    kind: QuestionKind = "question"
    seconds: float | None = None
    """How long it may stay open; None: without end."""
    in_reply_to: str | None = None


class Questions:
    """The open questions of one agent, at most one for each of its tasks."""

    def __init__(self, agent: SubAgent) -> None:
        self._agent = agent
        self._keys: dict[str, str] = {}
        """Under which journal key a waiting task finds its answer."""

    async def load(self) -> None:
        rows = await self._agent.db.query("SELECT owner, text FROM journal WHERE key = ?", _ASKING)
        self._keys = {row["owner"]: row["text"].strip('"') for row in rows}

    def meant_by(self, message: ChannelMessage) -> Task | None:
        """Return the task that a user's message answers: the one whose question it names, else
        the oldest that it may be an answer to; None: it is no answer.

        Raises QuestionClosed when the message names a question that is not open.
        """
        wanted = message.metadata.get("answers")
        for task in self._agent.tasks.values():
            question = task.question
            if question is None or not self._is_open(task):
                continue
            if question.id == wanted or (wanted is None and _may_answer(message.text, question)):
                return task
        if wanted is None:
            return None
        raise QuestionClosed("This question is not open any more, so your answer changed nothing.")

    async def wait(self, job: TaskJob, key: str, asking: Asking) -> ChannelMessage | None:
        """Let the job's task wait for its answer; None: nobody gave one in time."""
        agent = self._agent
        job.answer = asyncio.get_running_loop().create_future()
        try:
            question_id = derived_id("msg", job.task_id, key)
            expires_at = None
            if asking.seconds is not None and self._keys.get(job.task_id) != key:
                # Each opening has an id of its own, so an alarm never closes a later one.
                question_id = new_id("msg")
                expires_at = now() + timedelta(seconds=asking.seconds)
                await agent.schedule.at(expires_at, ALARM, job.task_id, question_id)
            async with agent.event_log.change() as change:
                # The answer may have come after this job read its journal.
                known = await journal.entries(agent, job.task_id)
                if key not in known and not (
                    job.task.status == "waiting" and self._keys.get(job.task_id) == key
                ):
                    question = Question(
                        id=question_id,
                        task_id=job.task_id,
                        options=list(asking.options)[:_OPTIONS],
                        kind=asking.kind,
                        expires_at=expires_at,
                    )
                    await self._open(change, key, asking, question)
            if key in known:
                return _answer_in(known[key])
            if not agent.waits_in_place:
                job.slot.free()
            answer = await job.answer
            if not agent.waits_in_place:
                await job.slot.take()
            return answer
        finally:
            job.answer = None

    async def _open(self, change: Change, key: str, asking: Asking, question: Question) -> None:
        agent, task_id = self._agent, question.task_id
        task = agent.update(
            change, task_id, status="waiting", reason=asking.text, question=question
        )
        journal.put(change, task_id, _ASKING, key)
        if await messages.find(agent, question.id, None) is None:
            owed = asking.in_reply_to
            if owed and await agent.answered(owed):
                owed = None
            messages.store(
                change,
                message_id=question.id,
                role="agent",
                author=agent.spec.name,
                text=messages.cut(asking.text),
                in_reply_to=owed,
                metadata={"task_id": task_id, "question": question.model_dump(mode="json")},
            )
        tasks.emit(change, "task.waiting", task)
        if not agent.busy(without=task_id):
            agent.note_status(change, "idle")
        change.then(lambda: self._keys.__setitem__(task_id, key))

    async def answer(
        self, task: Task, message: ChannelMessage, acknowledgement: str | None
    ) -> None:
        """Hand a user's message to the task that asked, and end the message's handling.

        Without an acknowledgement the task itself owes the reply (`say(in_reply_to=…)`).
        """
        agent = self._agent
        async with agent.event_log.change() as change:
            if not self._is_open(agent.tasks.get(task.id)):
                raise QuestionClosed("Your answer came too late: the question was just closed.")
            self._close(change, task.id, message.model_dump(mode="json"), message)
            if acknowledgement is None:
                agent.mark_handled(change, message.id, busy=True)
            else:
                agent.put_reply(
                    change,
                    message.id,
                    acknowledgement,
                    metadata={"task_id": task.id},
                    busy=True,
                )

    async def expire(self, task_id: str, question_id: str) -> None:
        """Close a question that nobody answered in time; nothing happens if it is closed."""
        agent = self._agent
        async with agent.event_log.change() as change:
            task = agent.tasks.get(task_id)
            if not self._is_open(task) or task is None or task.question is None:
                return
            if task.question.id != question_id:
                return
            self._close(change, task_id, _EXPIRED, None)
            agent.say(
                change,
                f"Nobody answered in time, so the answer is no. “{task.title}” goes on without it.",
                message_id=derived_id("msg", question_id, "expired"),
                author="GrowQR",
                role="system",
                metadata={"task_id": task_id, "expired": question_id},
            )

    def forget(self, task_id: str) -> None:
        """Drop what is known of a task that has ended."""
        self._keys.pop(task_id, None)

    def _is_open(self, task: Task | None) -> bool:
        return task is not None and task.status == "waiting" and task.id in self._keys

    def _close(
        self, change: Change, task_id: str, answer: Any, message: ChannelMessage | None
    ) -> None:
        agent, key = self._agent, self._keys[task_id]
        question = agent.tasks[task_id].question
        journal.put(change, task_id, key, answer)
        change.execute("DELETE FROM journal WHERE owner = ? AND key = ?", task_id, _ASKING)
        going_on = agent.update(change, task_id, status="running", reason=None)
        closed = {
            "id": question.id if question else None,
            "outcome": "expired" if message is None else "answered",
            "answer": None if message is None else message.text,
        }
        tasks.emit(change, "task.resumed", going_on, closed_question=closed)
        agent.note_status(change, "working")

        def told() -> None:
            self._keys.pop(task_id, None)
            agent.task_runs.take_answer(task_id, message)

        change.then(told)


def _may_answer(text: str, question: Question) -> bool:
    """Whether a message that names no question may be an answer to this one.

    A conflict waits without end, and work goes on beside it: there only a side counts.
    """
    return question.kind != "conflict" or side_in(text) is not None


def _answer_in(saved: Any) -> ChannelMessage | None:
    return None if saved == _EXPIRED else ChannelMessage.model_validate(saved)
