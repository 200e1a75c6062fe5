"""Runs of quests: rows of the quest agent, how others see them, and their file in Git."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pyrivet import Actor

from growqr.agents.eventlog import Change as LogChange
from growqr.agents.quests import Quest
from growqr.agents.quests.template import quoted
from growqr.events import Task, TaskStatus
from growqr.git.forge import Change

# The quest is kept with the run: a run goes on with the steps that it began with, also after an
# upgrade that changed them.
SCHEMA = """
CREATE TABLE IF NOT EXISTS quest_runs (
    id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    step INTEGER NOT NULL,
    started_on TEXT NOT NULL,
    quest TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Run:
    """One person's way through one quest; its status is that of its task."""

    id: str
    task_id: str
    quest: Quest
    started_on: str
    """Day (ISO, UTC)."""
    step: int = 0
    """Steps done, which is also the index of the next one."""

    @property
    def path(self) -> str:
        """Where its progress is kept in the user's repository."""
        return f"quests/{self.quest.key}/{self.id}.md"


def add(change: LogChange, run: Run, position: int | None = None) -> None:
    """Add a run to `change`; `position` None puts it behind all others."""
    change.execute(
        "INSERT INTO quest_runs (id, task_id, position, step, started_on, quest)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        run.id,
        run.task_id,
        change.next_seq if position is None else position,
        run.step,
        run.started_on,
        run.quest.model_dump_json(),
    )


def advance(change: LogChange, run: Run) -> None:
    """Add to `change` that `run.step` steps are done."""
    change.execute("UPDATE quest_runs SET step = ? WHERE id = ?", run.step, run.id)


async def find(actor: Actor, column_value: str) -> Run | None:
    """Return the run with this id or of this task."""
    rows = await actor.db.query(
        "SELECT * FROM quest_runs WHERE id = ? OR task_id = ?", column_value, column_value
    )
    return _run(rows[0]) if rows else None


async def page(actor: Actor, before: str | None, limit: int) -> list[tuple[Run, Task]]:
    """Return the newest runs with their tasks, newest first; those older than run `before`."""
    rows = await actor.db.query(
        "SELECT r.*, t.json AS task FROM quest_runs r JOIN tasks t ON t.id = r.task_id"
        " WHERE ? IS NULL OR r.position < (SELECT position FROM quest_runs WHERE id = ?)"
        " ORDER BY r.position DESC LIMIT ?",
        before,
        before,
        limit,
    )
    return [(_run(row), Task.model_validate_json(row["task"])) for row in rows]


def view(run: Run, status: TaskStatus, reason: str | None = None) -> dict[str, Any]:
    """Return the run as the API and events show it.

    Steps behind are `completed`, steps ahead `queued`; the one at hand has the run's status.
    """
    return {
        "id": run.id,
        "run_id": run.id,
        "quest_key": run.quest.key,
        "title": run.quest.title,
        "task_id": run.task_id,
        "status": status,
        "reason": reason,
        "step": run.step,
        "steps": [
            {"title": step.title, "status": _step_status(index, run.step, status)}
            for index, step in enumerate(run.quest.steps)
        ],
    }


def progress_file(
    run: Run, status: TaskStatus, answers: Mapping[str, str], base: str | None
) -> Change:
    """Return the run's file: what is done, what the user said, and the commit it began on."""
    front = {
        "quest": run.quest.key,
        "run": run.id,
        "task": run.task_id,
        "status": status,
        "step": run.step,
        "steps": len(run.quest.steps),
        "started": run.started_on,
    }
    if base is not None:
        front["base"] = base
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    lines = [f"# {run.quest.title}", ""]
    for index, step in enumerate(run.quest.steps):
        lines.append(f"- [{'x' if index < run.step else ' '}] {step.title}")
    for step in run.quest.steps[: run.step]:
        if step.name is not None and step.name in answers:
            lines += ["", f"## {step.title}", "", quoted(answers[step.name])]
    text = f"---\n{head}---\n\n" + "\n".join(lines) + "\n"
    return Change(run.path, text.encode())


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        id=row["id"],
        task_id=row["task_id"],
        quest=Quest.model_validate_json(row["quest"]),
        started_on=row["started_on"],
        step=row["step"],
    )


def _step_status(index: int, done: int, status: TaskStatus) -> TaskStatus:
    if index == done and status != "completed":
        return status
    return "completed" if index < done else "queued"
