"""Going through a quest, one step after the other, each recorded before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from growqr.agents import quest_runs, tasks
from growqr.agents.conflicts import settle
from growqr.agents.job import TaskFailed, TaskJob
from growqr.agents.quest_runs import Run
from growqr.agents.questions import Asking
from growqr.agents.quests.schema import Delegate, Step
from growqr.agents.quests.template import render
from growqr.events import TaskResult, TaskStatus
from growqr.git.forge import Change, CommitInfo, MergeConflict

if TYPE_CHECKING:
    from growqr.agents.quest import QuestAgent


class QuestWalk:
    """One run of a quest's task; after a crash a new one goes on at the step at hand.

    Each user message gets one reply: the next thing that the quest says. `_owed` is the message
    that still waits for it; it is the same after a crash, because it follows from the steps.
    """

    def __init__(self, agent: QuestAgent, job: TaskJob, run: Run) -> None:
        self._agent = agent
        self._job = job
        self._run = run
        self._values = {"user": agent.spec.user_name, "date": run.started_on, "run_id": run.id}
        self._message_id = job.task.message_id
        own = job.task.requested_by == agent.spec.actor_id
        self._owed = self._message_id if own else None
        self._commit: str | None = None

    async def walk(self) -> TaskResult:
        """Do the steps that are not done yet; raises TaskFailed when one can't be done."""
        quest = self._run.quest
        if self._job.saved("base") is None:
            head = await self._agent.services.forge.head(self._agent.spec.repo)
            await self._job.save("base", head)
        await self._say(f"**{quest.title}.** {quest.description}", "intro")
        done: list[Change] = []
        for number, step in enumerate(quest.steps):
            if number < self._run.step:
                self._recall(number, step)
                continue
            if _waits(step) and number > self._run.step:
                await self._finish(number, done)
                done = []
            try:
                done += await self._do(number, step)
            except TaskFailed:
                await self._write([], "failed", f"{number}:failed", f"stopped at {step.title}")
                raise
        await self._finish(len(quest.steps), done)
        if self._owed:
            await self._say("Thank you, that was the last question.", "thanks")
        return TaskResult(
            summary=f"Quest complete: {quest.title}. What you said is in `{self._run.path}`.",
            repo_id=self._agent.spec.repo.id,
            branch="main",
            commit=self._commit,
        )

    async def _do(self, number: int, step: Step) -> list[Change]:
        """Do one step and return the files that it makes."""
        if step.ask is not None and step.name is not None:
            question = Asking(render(step.ask, self._values), in_reply_to=self._take_owed())
            answer = await self._job.ask_message(question, key=str(number))
            self._answered(step.name, answer.text, answer.id)
        elif step.say is not None:
            await self._say(render(step.say, self._values), str(number))
        elif step.delegate is not None:
            await self._delegate(number, step, step.delegate)
        elif step.goal is not None:
            return [self._agent.goal_file(self._run, number, step.goal, self._values)]
        elif step.write is not None:
            path = render(step.write.path, self._values)
            return [Change(path, render(step.write.content, self._values).encode())]
        return []

    async def _delegate(self, number: int, step: Step, wish: Delegate) -> None:
        title = render(wish.title, self._values)
        await self._say(
            f"I hand this to the {wish.agent} agent: {title}. Watch it in #{wish.agent}; I go on "
            "when it is done.",
            str(number),
        )
        prompt = render(wish.prompt, self._values)
        task = await self._job.delegate(wish.agent, title, prompt, key=str(number))
        if task.status != "completed":
            raise TaskFailed(f"The {wish.agent} agent did not finish “{title}”: {task.reason}")
        if step.name is not None:
            summary = task.result.summary if task.result else ""
            await self._job.save(f"value:{number}", summary)
            self._values[step.name] = summary

    def _recall(self, number: int, step: Step) -> None:
        """Take over what a finished step left in the journal."""
        if step.ask is not None and step.name is not None:
            answer = self._job.saved(f"ask:{number}")
            self._answered(step.name, answer["text"], answer["id"])
        elif step.delegate is not None or step.say is not None:
            self._owed = None
            if step.name is not None:
                self._values[step.name] = self._job.saved(f"value:{number}") or ""

    def _answered(self, name: str, text: str, message_id: str) -> None:
        self._values[name] = text
        self._owed = self._message_id = message_id

    async def _finish(self, upto: int, outputs: list[Change]) -> None:
        """Commit the steps before `upto` that are not yet, together, then record them; repeating
        this after a crash commits nothing twice.
        """
        steps = self._run.quest.steps
        finished = range(self._run.step, upto)
        self._run = replace(self._run, step=upto)
        last = upto == len(steps)
        status: TaskStatus = "completed" if last else "running"
        what = ", ".join(steps[number].title for number in finished)
        commit = await self._write(outputs, status, str(upto - 1), what)
        self._commit = commit.sha
        async with self._agent.event_log.change() as change:
            quest_runs.advance(change, self._run)
            self._job.put(change, "own", self._own([*outputs, self._progress(status)]))
            task = self._agent.update(change, self._job.task_id, progress=upto / len(steps))
            tasks.emit(change, "task.progress", task, text=f"Done: {what}")
            change.emit(
                "memory.committed",
                {"sha": commit.sha, "paths": list(commit.paths)},
                task_id=task.id,
            )
            for number in finished:
                now = replace(self._run, step=number + 1)
                view = quest_runs.view(now, status if number + 1 == upto else "running")
                step = {**view, "finished": steps[number].title}
                change.emit("quest.step", step, task_id=task.id)
            if last:
                change.emit("quest.completed", quest_runs.view(self._run, status), task_id=task.id)

    async def _write(
        self, outputs: list[Change], status: TaskStatus, operation: str, what: str
    ) -> CommitInfo:
        kept = self._job.saved(f"kept:{operation}")
        if kept is None:
            try:
                return await self._agent.commit_run(
                    self._run,
                    [*outputs, self._progress(status)],
                    operation=operation,
                    what=what,
                    message_id=self._message_id,
                    base=self._job.saved("base"),
                    own=self._own(),
                )
            except MergeConflict as conflict:
                kept = conflict.kept
                await self._job.save(f"kept:{operation}", kept)
        return await settle(self._job, str(kept), self._agent.author)

    def _progress(self, status: TaskStatus) -> Change:
        base = self._job.saved("base")
        return quest_runs.progress_file(self._run, status, self._values, base)

    def _own(self, more: Sequence[Change] = ()) -> dict[str, str]:
        """Return what the run has last written to each of its files, and `more`.

        The run reads nothing after it began, so this is what its next step goes on from: the
        user may have changed the files since, and that is merged each time.
        """
        added = {change.path: (change.content or b"").decode() for change in more}
        return {**(self._job.saved("own") or {}), **added}

    async def _say(self, text: str, key: str) -> None:
        await self._job.say(text, key=key, in_reply_to=self._take_owed())

    def _take_owed(self) -> str | None:
        owed, self._owed = self._owed, None
        return owed


def _waits(step: Step) -> bool:
    """Whether the step waits for somebody, so that what is done must not wait with it."""
    return step.ask is not None or step.delegate is not None
