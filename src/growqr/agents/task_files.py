"""A finished task as a file of the user's repository, `tasks/<id>.md`, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from growqr.agents import front_matter
from growqr.agents.messages import printable
from growqr.agents.tasks import title_of
from growqr.events import FINAL_TASK_STATUSES, Task, TaskResult, TaskStatus

_OUTCOME = "\n\n## Outcome\n\n"


def record_text(task: Task) -> str:
    """Return the task as Markdown with front matter."""
    result = task.result
    front: dict[str, Any] = {
        "id": task.id,
        "title": task.title,
        "agent": task.agent,
        "status": task.status,
        "created": task.created_at.isoformat(timespec="seconds"),
        "finished": task.updated_at.isoformat(timespec="seconds"),
        "requested_by": task.requested_by,
        "message": task.message_id,
    }
    if result is not None:
        front |= {"repo": result.repo_id, "branch": result.branch, "commit": result.commit}
    known = {key: value for key, value in front.items() if value}
    head = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    outcome = result.summary if result is not None else task.reason or ""
    return f"---\n{head}---\n\n# {task.title}\n\n{task.prompt}{_OUTCOME}{outcome}\n"


def task_in_file(task_id: str, text: str, agents: Mapping[str, str]) -> Task | None:
    """Return the task that a file records; None when people made something else of it.

    `agents` gives the actor ids of the user's agents by name.
    """
    front, body = front_matter.split(text)
    agent, status = str(front.get("agent")), _status(front.get("status"))
    if agent not in agents or status is None:
        return None
    prompt, found, outcome = body.partition(_OUTCOME)
    heading, _, prompt = prompt.partition("\n\n")
    outcome = outcome.strip()
    completed = status == "completed"
    created = _time(front.get("created"))
    return Task(
        id=task_id,
        actor_id=agents[agent],
        agent=agent,
        title=title_of(str(front.get("title") or heading.lstrip("# "))),
        prompt=printable(prompt if found else body).strip(),
        status=status,
        reason=None if completed else outcome or None,
        progress=1.0 if completed else 0.0,
        result=TaskResult(
            summary=outcome,
            repo_id=_text(front, "repo"),
            branch=_text(front, "branch"),
            commit=_text(front, "commit"),
        )
        if completed
        else None,
        requested_by=_text(front, "requested_by") or agents.get("grow", ""),
        message_id=_text(front, "message"),
        created_at=created,
        updated_at=max(created, _time(front.get("finished"))),
    )


def _status(value: object) -> TaskStatus | None:
    return next((status for status in FINAL_TASK_STATUSES if status == value), None)


def _text(front: Mapping[str, Any], key: str) -> str | None:
    value = front.get(key)
    return value[:500] if isinstance(value, str) and value else None


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
