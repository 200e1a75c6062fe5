"""A sub-agent's tasks as rows, in the order in which they came."""

from pyrivet import Actor

from growqr.agents.eventlog import Change
from growqr.events import Task

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


def add(change: Change, task: Task, position: int) -> None:
    """Add a new task to `change`."""
    change.execute(
        "INSERT INTO tasks (id, position, status, json) VALUES (?, ?, ?, ?)",
        task.id,
        position,
        task.status,
        task.model_dump_json(),
    )


def keep(change: Change, task: Task) -> None:
    """Add to `change`: this is the task now."""
    change.execute(
        "UPDATE tasks SET status = ?, json = ? WHERE id = ?",
        task.status,
        task.model_dump_json(),
        task.id,
    )


def keep_log_bytes(change: Change, task_id: str, count: int) -> None:
    """Add to `change`: the task's log has so many bytes now."""
    change.execute("UPDATE tasks SET log_bytes = ? WHERE id = ?", count, task_id)


async def unfinished(actor: Actor) -> list[Task]:
    """Return the tasks to which something can still happen, oldest first."""
    rows = await actor.db.query(
        "SELECT json FROM tasks WHERE status IN ('queued', 'running', 'waiting', 'paused')"
        " ORDER BY position"
    )
    return [Task.model_validate_json(row["json"]) for row in rows]


async def find(actor: Actor, task_id: str) -> Task | None:
    """Return one task, finished or not."""
    rows = await actor.db.query("SELECT json FROM tasks WHERE id = ?", task_id)
    return Task.model_validate_json(rows[0]["json"]) if rows else None


async def log_bytes(actor: Actor, task_id: str) -> int:
    """Return how many bytes the task's log has."""
    rows = await actor.db.query("SELECT log_bytes FROM tasks WHERE id = ?", task_id)
    return int(rows[0]["log_bytes"]) if rows else 0
