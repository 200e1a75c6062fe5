"""The Grow Agent's view of all tasks, kept up to date by the agents' events."""

from collections.abc import Iterable
from typing import Any

from pyrivet import Actor

from growqr.agents import tasks
from growqr.agents.eventlog import Change
from growqr.events import Event, Task, TaskStatus

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    status TEXT NOT NULL,
    json TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_position ON tasks (position);
CREATE TABLE IF NOT EXISTS sources (actor_id TEXT PRIMARY KEY, seq INTEGER NOT NULL);
"""


def task_in(event: Event) -> Task | None:
    """Return the task that a `task.*` event carries."""
    if not event.type.startswith("task.") or event.type == "task.log":
        return None
    return Task.model_validate({k: v for k, v in event.data.items() if k not in tasks.EVENT_ONLY})


def merged(known: Task | None, news: Task) -> Task:
    """Return the task after `news`; what is finished, and what is newer, stays."""
    if known is None:
        return news
    if tasks.finished(known) or news.updated_at < known.updated_at:
        return known
    return news


def keep(change: Change, task: Task) -> None:
    """Add to `change`: this is the task now."""
    change.execute(
        "INSERT INTO tasks (id, position, status, json) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET status = excluded.status, json = excluded.json",
        task.id,
        change.next_seq,
        task.status,
        task.model_dump_json(),
    )


async def find(actor: Actor, task_id: str) -> Task | None:
    """Return one task."""
    return (await find_all(actor, [task_id])).get(task_id)


async def find_all(actor: Actor, task_ids: Iterable[str]) -> dict[str, Task]:
    """Return those of the tasks that are known, by id."""
    ids = list(task_ids)
    if not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    rows = await actor.db.query(f"SELECT json FROM tasks WHERE id IN ({marks})", *ids)  # noqa: S608
    found = [Task.model_validate_json(row["json"]) for row in rows]
    return {task.id: task for task in found}


async def page(
    actor: Actor, status: TaskStatus | None, before: int | None, limit: int
) -> dict[str, Any]:
    """Return `{items, before}`: the newest tasks first; `before` continues with older ones."""
    rows = await actor.db.query(
        "SELECT position, json FROM tasks WHERE position < ? AND (? IS NULL OR status = ?)"
        " ORDER BY position DESC LIMIT ?",
        before if before is not None else 2**62,
        status,
        status,
        limit,
    )
    items = [Task.model_validate_json(row["json"]).model_dump(mode="json") for row in rows]
    return {"items": items, "before": rows[-1]["position"] if len(rows) == limit else None}


async def sources(actor: Actor) -> dict[str, int]:
    """Return how far each agent's events have been taken in, by actor id."""
    rows = await actor.db.query("SELECT actor_id, seq FROM sources")
    return {row["actor_id"]: int(row["seq"]) for row in rows}
