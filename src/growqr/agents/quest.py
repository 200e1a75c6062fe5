"""The quest agent: leads through predefined pathways."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, Field
from pyrivet import ActionError, action

from growqr.agents import journal, quest_runs, tasks
from growqr.agents.eventlog import Change as LogChange
from growqr.agents.goals import goal_text, new_goal
from growqr.agents.job import TaskFailed, TaskJob
from growqr.agents.quest_runs import Run
from growqr.agents.quest_walk import QuestWalk
from growqr.agents.quests import Quest, load_quests
from growqr.agents.quests.schema import Goal
from growqr.agents.quests.template import render
from growqr.agents.restore_quests import restore_runs
from growqr.agents.snapshot import Snapshot
from growqr.agents.subagent import MAX_UNFINISHED, SubAgent
from growqr.events import ChannelMessage, Task, TaskResult, now
from growqr.git.forge import Author, Change, CommitInfo, MergeConflict
from growqr.ids import derived_id

_CANCEL = re.compile(
    r"(please\s+)?(cancel|stop|quit|abort)(\s+(it|this|the)?\s*(quest|run)?)?[.!]?", re.I
)
_START = re.compile(
    r"(please\s+)?(start|begin|run|do|launch)\s+(the\s+|a\s+|my\s+)?(?P<what>.+)", re.I
)

_NO_HURRY = re.compile(r"^(no|none|never|nothing)$|\bno (hurry|rush|date|deadline)\b", re.I)


class StartQuest(BaseModel):
    """A wish to start a quest; the same `run_id` starts it once."""

    key: str = Field(max_length=64)
    run_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    message_id: str | None = Field(None, max_length=64)
    """The user's message that caused it."""


class QuestAgent(SubAgent):
    """A run of a quest is a task of this agent; several may wait for answers at once."""

    schema = SubAgent.schema + quest_runs.SCHEMA
    max_running = 4

    async def run_task(self, job: TaskJob) -> TaskResult:
        run = await quest_runs.find(self, job.task_id) or await self._run_for(job.task)
        return await QuestWalk(self, job, run).walk()

    async def restore_more(self, change: LogChange, saved: Snapshot, own: list[Task]) -> None:
        await restore_runs(self, change, saved, own)

    # Messages

    async def on_message(self, message: ChannelMessage) -> None:
        """The answer to the oldest open question; or `cancel`, `start KEY`; else a menu."""
        waiting = self.questions.meant_by(message)
        if _CANCEL.fullmatch(message.text.strip()):
            await self._cancel_by(message, waiting)
        elif waiting is not None:
            await self.questions.answer(waiting, message, None)
        elif (quest := wanted_quest(message.text, load_quests())) is not None:
            async with self.event_log.change() as change:
                run_id = derived_id("run", message.id)
                self._add(change, quest, run_id, self.task_of(message).requested_by, message.id)
                self.mark_handled(change, message.id, busy=True)
        else:
            await self.reply(message, menu(load_quests()))

    async def _cancel_by(self, message: ChannelMessage, waiting: Task | None) -> None:
        # Which run is meant is recorded first, so that a repeat can't cancel another one.
        chosen = (await journal.entries(self, message.id)).get("run")
        if chosen is None:
            task = waiting or next(iter(self.tasks.values()), None)
            if task is None:
                await self.reply(message, "No quest is running.\n\n" + menu(load_quests()))
                return
            chosen = task.id
            async with self.event_log.change() as change:
                journal.put(change, message.id, "run", chosen)
        known = Task.model_validate(await self.task(chosen))
        if not tasks.finished(known):
            await self.cancel(chosen)
        await self.reply(message, f"I cancelled “{known.title}”. What you answered is kept.")

    # Actions

    @action
    async def start_quest(self, wish: StartQuest) -> dict[str, Any]:
        """Start a run and return it; a repeat with the same `run_id` returns the run as it is."""
        known = await quest_runs.find(self, wish.run_id)
        if known is None:
            quest = load_quests().get(wish.key)
            if quest is None:
                raise ActionError("not_found", f"There is no quest `{wish.key}`.")
            if not self.running:
                raise ActionError("agent_stopped", "This agent is stopped. Start it first.")
            if len(self.tasks) >= MAX_UNFINISHED:
                raise ActionError("too_many", f"{MAX_UNFINISHED} quests are open already.")
            async with self.event_log.change() as change:
                requester = self.spec.parent_id or self.spec.actor_id
                self._add(change, quest, wish.run_id, requester, wish.message_id)
        elif known.quest.key != wish.key:
            raise ActionError("conflict", "This idempotency key was used for another quest.")
        return await self.run(wish.run_id)

    @action(concurrent=True)
    async def runs(self, before: str | None, limit: int) -> dict[str, Any]:
        """Return `{items, before}`: a page of the runs, newest first; `before` continues it."""
        limit = self.page_size(limit)
        found = await quest_runs.page(self, before, limit)
        return {
            "items": [quest_runs.view(run, task.status, task.reason) for run, task in found],
            "before": found[-1][0].id if len(found) == limit else None,
        }

    @action(concurrent=True)
    async def run(self, run_id: str) -> dict[str, Any]:
        """Return one run."""
        run = await quest_runs.find(self, run_id)
        if run is None or run.id != run_id:
            raise ActionError("not_found", "No quest run of that id.")
        task = Task.model_validate(await self.task(run.task_id))
        return quest_runs.view(run, task.status, task.reason)

    @action
    async def cancel(self, task_id: str) -> dict[str, Any]:
        """End a run for good; its file says so."""
        known = Task.model_validate(await self.task(task_id))
        run = await quest_runs.find(self, task_id)
        if run is not None and not tasks.finished(known):
            entries = await journal.entries(self, task_id)
            base = entries.get("base")
            answers = _answers(run, entries)
            changes = [quest_runs.progress_file(run, "cancelled", answers, base)]
            with suppress(MergeConflict):  # the user has made the file their own
                await self.commit_run(
                    run,
                    changes,
                    operation="cancelled",
                    what="cancelled",
                    base=base,
                    own=entries.get("own"),
                )
        return await super().cancel(task_id)

    # What a walk uses

    @property
    def author(self) -> Author:
        """Who this agent's commits are by."""
        return Author(self.spec.actor_id, self.spec.name, self.spec.capabilities)

    async def commit_run(
        self,
        run: Run,
        changes: Sequence[Change],
        *,
        operation: str,
        what: str,
        message_id: str | None = None,
        base: str | None = None,
        own: Mapping[str, str] | None = None,
    ) -> CommitInfo:
        """Commit what a step of a run made; once per run and operation.

        `base` is where the run began and `own` the texts that it has written since, by path.
        Raises MergeConflict when the user has changed the same.
        """
        return await self.services.commits.commit(
            self.spec.repo,
            actor=self.author,
            kind="quest",
            scope=run.quest.key,
            what=what,
            changes=changes,
            operation=f"{run.id}:{operation}",
            task_id=run.task_id,
            message_id=message_id,
            base=base,
            own=[Change(path, text.encode()) for path, text in (own or {}).items()],
        )

    def goal_file(self, run: Run, number: int, goal: Goal, values: Mapping[str, str]) -> Change:
        """Return the file of the goal that a step sets."""
        set_goal = new_goal(
            render(goal.title, values),
            render(goal.why, values),
            due_of(render(goal.due, values)),
            operation=f"{run.id}:{number}",
        )
        text = goal_text(set_goal, source=f"quest {run.quest.key}")
        return Change(f"goals/{set_goal.id}.md", text.encode())

    async def _run_for(self, task: Task) -> Run:
        """Return a new run for a task that another agent asked for; its prompt names a quest."""
        quest = wanted_quest(task.prompt, load_quests())
        if quest is None:
            names = ", ".join(load_quests())
            raise TaskFailed(f"The quest agent only does quests: {names}. Name one of them.")
        run = _new_run(quest, derived_id("run", task.id), task.id)
        async with self.event_log.change() as change:
            quest_runs.add(change, run)
            change.emit("quest.started", quest_runs.view(run, task.status), task_id=task.id)
        return run

    def _add(
        self, change: LogChange, quest: Quest, run_id: str, requester: str, message_id: str | None
    ) -> None:
        run = _new_run(quest, run_id, derived_id("tsk", run_id))
        quest_runs.add(change, run)
        task = Task(
            id=run.task_id,
            actor_id=self.spec.actor_id,
            agent=self.spec.name,
            title=quest.title,
            prompt=quest.description,
            requested_by=requester,
            message_id=message_id,
        )
        self.add_task(change, task)
        change.emit("quest.started", quest_runs.view(run, task.status), task_id=task.id)


def _new_run(quest: Quest, run_id: str, task_id: str) -> Run:
    return Run(run_id, task_id, quest, started_on=now().date().isoformat())


def wanted_quest(text: str, quests: Mapping[str, Quest]) -> Quest | None:
    """Return the quest that a message names: its key or title, alone or after `start`."""
    text = text.strip()
    started = _START.fullmatch(text)
    said = _plain(started["what"] if started else text)
    for quest in quests.values():
        if said in (_plain(quest.key), _plain(quest.title)):
            return quest
    return None


def menu(quests: Mapping[str, Quest]) -> str:
    """Return what there is to start, and how."""
    lines = [
        f"- `{quest.key}`: **{quest.title}**. {quest.description}" for quest in quests.values()
    ]
    return "\n".join(["These quests are here. To begin, write `start` and a name.", "", *lines])


def _plain(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", text.casefold()).split()
    return " ".join(word for word in words if word not in ("quest", "the"))


def due_of(text: str) -> str | None:
    """Return when a goal is due, as it was said; None when it was said that nothing presses."""
    text = text.strip().rstrip(".!")
    return None if not text or _NO_HURRY.search(text) else text


def _answers(run: Run, entries: Mapping[str, Any]) -> dict[str, str]:
    return {
        step.name: entries[f"ask:{number}"]["text"]
        for number, step in enumerate(run.quest.steps)
        if step.name is not None and f"ask:{number}" in entries
    }
