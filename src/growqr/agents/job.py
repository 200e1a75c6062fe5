"""What a sub-agent's work on one task may do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from growqr.agents import journal, messages, task_rows, tasks
from growqr.agents.questions import Asking
from growqr.events import ChannelMessage, Task
from growqr.ids import derived_id

if TYPE_CHECKING:
    from growqr.agents.eventlog import Change
    from growqr.agents.subagent import SubAgent


class TaskFailed(Exception):
    """The task can't be done; the text says why, for a person."""


class Unanswered(TaskFailed):
    """Nobody answered the task's question in time; a task may catch it and go on."""


class Slot:
    """A place among the tasks that an agent runs at once; given up while a task waits."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._held = False

    async def take(self) -> None:
        await self._places.acquire()
        self._held = True

    def free(self) -> None:
        """Safe to repeat."""
        if self._held:
            self._held = False
            self._places.release()


class TaskJob:
    """One run of `SubAgent.run_task`. After a crash the task runs again, with the same journal.

    `saved` and `save` are that journal. `say`, `ask` and `delegate` take a `key`: under the
    same key they happen once per task, however often the task runs. Without one they count
    calls, which is right when the task makes them in the same order each time.
    """

    def __init__(
        self, agent: SubAgent, task_id: str, saved: dict[str, Any], log_bytes: int, slot: Slot
    ) -> None:
        self.agent = agent
        self.task_id = task_id
        self.log_bytes = log_bytes
        self.slot = slot
        self.answer: asyncio.Future[ChannelMessage | None] | None = None
        """Set while the task waits for the user."""
        self._saved = saved
        self._count = 0

    @property
    def task(self) -> Task:
        """The task as it is now."""
        return self.agent.tasks[self.task_id]

    def saved(self, key: str) -> Any:
        """Return what was saved under `key`, or None."""
        return self._saved.get(key)

    async def save(self, key: str, value: Any) -> None:
        """Keep a JSON value; durable when this returns."""
        async with self.agent.event_log.change() as change:
            self.put(change, key, value)

    def put(self, change: Change, key: str, value: Any) -> None:
        """Add keeping a JSON value to `change`."""
        journal.put(change, self.task_id, key, value)
        change.then(lambda: self._saved.__setitem__(key, value))

    async def progress(self, share: float, text: str, *, tool: str | None = None) -> None:
        """Record how much is done (0 to 1) and, in a few words, what is going on, by which tool."""
        async with self.agent.event_log.change() as change:
            task = self.agent.update(change, self.task_id, progress=max(0.0, min(share, 1.0)))
            with_tool = {"tool": tool} if tool else {}
            tasks.emit(change, "task.progress", task, text=messages.cut(text, 2_000), **with_tool)

    async def log(self, stream: str, text: str, *, path: str | None = None) -> None:
        """Add to the task's log; past the limit for a task one last line says it was cut.

        `path` is the file of the workspace that the entry is about.
        """
        most = self.agent.services.settings.limits.log_bytes
        if self.log_bytes > most:
            return
        text = messages.cut(text, 16_000)
        self.log_bytes += len(text.encode())
        if self.log_bytes > most:
            stream, path = "system", None
            text = f"Log cut: a task keeps at most {most} bytes."
        async with self.agent.event_log.change() as change:
            task_rows.keep_log_bytes(change, self.task_id, self.log_bytes)
            data = {"stream": stream, "text": text} | ({"path": path} if path else {})
            change.emit("task.log", data, task_id=self.task_id)

    async def say(
        self,
        text: str,
        *,
        key: str | None = None,
        in_reply_to: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Post a message to the agent's channel.

        `in_reply_to` makes it the one answer to that user message; if it has one already,
        nothing is posted.
        """
        await self._say(self._key("say", key), text, in_reply_to, metadata)

    async def ask(self, asking: Asking | str, *, key: str | None = None) -> str:
        """Ask the user in the channel and wait; returns the text of the answer.

        Raises Unanswered when its time is up.
        """
        return (await self.ask_message(asking, key=key)).text

    async def ask_message(self, asking: Asking | str, *, key: str | None = None) -> ChannelMessage:
        """Like `ask`, but returns the whole answer: its id is what a reply refers to."""
        asking = Asking(asking) if isinstance(asking, str) else asking
        answer = await self.agent.questions.wait(self, self._key("ask", key), asking)
        if answer is None:
            raise Unanswered(f"Nobody answered in time: {asking.text}")
        return answer

    async def delegate(self, agent: str, title: str, prompt: str, key: str) -> Task:
        """Have another agent do a task; waits until it is finished, whatever the outcome."""
        return await self.agent.awaited.wait(
            self,
            {
                "agent": agent,
                "title": tasks.title_of(title),
                "prompt": prompt,
                "task_id": derived_id("tsk", self.task_id, "delegate", key),
                "requested_by": self.agent.spec.actor_id,
                "message_id": self.task.message_id,
            },
        )

    async def _say(
        self, key: str, text: str, in_reply_to: str | None, metadata: dict[str, Any] | None
    ) -> None:
        await self.agent.say_once(
            text,
            message_id=derived_id("msg", self.task_id, key),
            in_reply_to=in_reply_to,
            metadata={"task_id": self.task_id, **(metadata or {})},
        )

    def _key(self, kind: str, key: str | None) -> str:
        if key is None:
            self._count += 1
            key = f"#{self._count}"
        return f"{kind}:{key}"
