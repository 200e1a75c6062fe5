"""Tasks as rows, and the rules of their life."""

import re
from typing import Any

from growqr.agents.eventlog import Change
from growqr.agents.messages import cut, printable
from growqr.events import FINAL_TASK_STATUSES, EventType, Task, TaskStatus, now

MAX_PROMPT_BYTES = 50_000
"""UTF-8 bytes of one task's instruction; keeps task rows and events within a statement."""

EVENT_OF: dict[TaskStatus, EventType] = {
    "running": "task.started",
    "waiting": "task.waiting",
    "paused": "task.paused",
    "completed": "task.completed",
    "failed": "task.failed",
    "cancelled": "task.cancelled",
}


def title_of(text: str) -> str:
    """Return one line of at most 120 characters that stands for `text`."""
    line = next((line for line in printable(text).splitlines() if line.strip()), "Untitled")
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= 120 else line[:119] + "…"


def finished(task: Task) -> bool:
    """Whether nothing more happens to the task."""
    return task.status in FINAL_TASK_STATUSES


def moved(task: Task, **fields: Any) -> Task:
    """Return the task with new fields and a new `updated_at`."""
    if isinstance(fields.get("reason"), str):
        fields["reason"] = cut(fields["reason"], 2_000)
    return task.model_copy(update={"updated_at": now(), **fields})


EVENT_ONLY = frozenset({"text", "tool", "closed_question"})
"""What a `task.*` event may carry besides the task."""


def emit(change: Change, kind: EventType, task: Task, **extra: Any) -> None:
    """Add a `task.*` event that carries the whole task, and of EVENT_ONLY what is given."""
    change.emit(kind, {**task.model_dump(mode="json"), **extra}, task_id=task.id)
