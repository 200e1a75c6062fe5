"""Goals as files: `goals/<id>.md`, which people may edit."""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from growqr.agents.front_matter import one_line, stamped
from growqr.agents.memory_index import Document
from growqr.errors import InvalidInput, NotFound

GoalStatus = Literal["open", "paused", "done", "dropped"]
_STATUSES: dict[str, GoalStatus] = {
    "open": "open",
    "active": "open",
    "in progress": "open",
    "reopened": "open",
    "paused": "paused",
    "on hold": "paused",
    "done": "done",
    "achieved": "done",
    "complete": "done",
    "completed": "done",
    "finished": "done",
    "dropped": "dropped",
    "abandoned": "dropped",
    "cancelled": "dropped",
    "canceled": "dropped",
}


class GoalNotFound(NotFound):
    """There is no goal of that id."""

    code = "goal_not_found"


class GoalStatusInvalid(InvalidInput):
    """A goal is open, paused, done or dropped."""

    code = "goal_status_invalid"


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal; `id` names its file. `due` is as the user said it."""

    id: str
    title: str
    status: GoalStatus
    due: str | None
    why: str


def new_goal(title: str, why: str, due: str | None, operation: str) -> Goal:
    """A goal whose id follows from title and operation, so that a repeat is the same goal."""
    title = one_line(title) or "Goal"
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower())[:40].strip("-") or "goal"
    mark = hashlib.sha256(operation.encode(errors="replace")).hexdigest()[:6]
    due = one_line(due) if due else None
    return Goal(f"{slug}-{mark}", title, "open", due or None, why.strip())


def goal_text(goal: Goal, source: str | None) -> str:
    """The file of a new goal; `source` is the message that set it."""
    meta = {"id": goal.id, "title": goal.title, "status": goal.status, "due": goal.due}
    return stamped(meta, f"# {goal.title}\n\n{goal.why}", reason=None, source=source)


def goal_of(document: Document) -> Goal:
    """The goal that a file holds; as people edit these files, anything may be missing."""
    meta = document.meta
    lines = document.body.strip().splitlines()
    why = "\n".join(lines[1:] if lines and lines[0].startswith("#") else lines).strip()
    return Goal(
        id=document.path.removeprefix("goals/").removesuffix(".md"),
        title=document.title,
        status=_STATUSES.get(_word(str(meta.get("status", ""))), "open"),
        due=str(meta["due"]) if meta.get("due") else None,
        why=why,
    )


def goal_line(goal: Goal) -> str:
    """The goal in one line."""
    due = f" (due {goal.due})" if goal.due else ""
    return f"- [{goal.id}] {goal.title}{due}: {one_line(goal.why)[:160]}"


def status_of(text: str) -> GoalStatus:
    """The status that a word means. Raises GoalStatusInvalid."""
    found = _STATUSES.get(_word(text))
    if found is None:
        raise GoalStatusInvalid("a goal's status is open, paused, done or dropped")
    return found


def _word(text: str) -> str:
    return " ".join(text.replace("_", " ").replace("-", " ").lower().split())
