"""What happens, as other programs see it: events, tasks, messages.

These models are the wire format of `GET /actors/{id}/events`, of the actors' `event`
broadcast, and of what a sub-agent tells its Grow Agent. Extra fields are kept, so an older
reader passes on what a newer writer added.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

EventType = Literal[
    "message.created",
    "message.delta",
    "message.completed",
    "channel.read",
    "agent.spawned",
    "agent.status",
    "task.created",
    "task.started",
    "task.progress",
    "task.log",
    "task.waiting",
    "task.paused",
    "task.resumed",
    "task.completed",
    "task.failed",
    "task.cancelled",
    "memory.committed",
    "quest.started",
    "quest.step",
    "quest.completed",
    "workspace.status",
    "billing.changed",
]

TaskStatus = Literal["queued", "running", "paused", "waiting", "completed", "failed", "cancelled"]
FINAL_TASK_STATUSES: frozenset[TaskStatus] = frozenset({"completed", "failed", "cancelled"})


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Event(BaseModel):
    """One thing that happened to an actor.

    `seq` counts from 1 per stream, without gaps or repeats. It is None only for
    `message.delta` and `channel.read`, which are broadcast and never stored. In the Grow
    Agent's stream a sub-agent's event gets the Grow Agent's next `seq` and keeps its own
    `actor_id`.
    """

    model_config = ConfigDict(extra="allow")

    seq: int | None
    type: EventType
    at: datetime = Field(default_factory=now)
    actor_id: str
    channel_id: str
    task_id: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class CommandRun(BaseModel):
    """A command for the sandbox; no exit code means that it was denied or never ended by itself."""

    command: str
    exit_code: int | None
    denied: bool = False
    """It did not run: a rule, or the user, said no."""
    output: str = ""


class Receipt(BaseModel):
    """What the platform itself says about a task, and, apart from it, what the model says."""

    failed_commands: list[CommandRun] = []
    """Those of `commands` that ended without exit code 0, and did so when they last ran."""
    commands: list[CommandRun] = []
    files: list[str] = []
    """Paths of the repository that the commit changed."""
    left_out: dict[str, str] = {}
    """Paths of the workspace that were not committed, and why."""
    commit: str | None = None
    branch: str | None = None
    tokens: int = 0
    """What the task used of the model, in and out, as the gateway counted; 0: offline."""
    claim: str = ""
    """The model's last words."""


class TaskResult(BaseModel):
    """What a finished task left behind; `commit` is a full SHA, or None if nothing changed."""

    model_config = ConfigDict(extra="allow")

    summary: str
    repo_id: str | None = None
    branch: str | None = None
    commit: str | None = None
    receipt: Receipt | None = None


QuestionKind = Literal["permission", "question", "conflict"]


class Question(BaseModel):
    """What a task asks its user. The message that asks carries it as `metadata.question`."""

    model_config = ConfigDict(extra="allow")

    id: str
    """Id of the message that asks; an answer may name it as `answers`."""
    task_id: str
    options: list[str] = Field(default_factory=list)
    """What can be chosen; any other text is an answer, too."""
    kind: QuestionKind = "question"
    expires_at: datetime | None = None
    """When it counts as answered with no; None: it stays open."""


class Task(BaseModel):
    """A unit of work of one sub-agent."""

    model_config = ConfigDict(extra="allow")

    id: str
    actor_id: str
    """The sub-agent that does it."""
    agent: str
    """Its name: `coding`, `repo` or `quest`."""
    title: str
    """One line, at most 120 characters."""
    prompt: str
    """The whole instruction."""
    status: TaskStatus = "queued"
    reason: str | None = None
    """Why it waits, is paused, failed or was cancelled, in words for a person."""
    question: Question | None = None
    """The open question, while it is `waiting`."""
    progress: float = 0.0
    """Share done, 0 to 1."""
    result: TaskResult | None = None
    requested_by: str
    """Id of the actor that asked for it."""
    message_id: str | None = None
    """The user's message that caused it."""
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class ChannelMessage(BaseModel):
    """A message as a channel shows it; `seq` is that of its event in the actor's stream."""

    model_config = ConfigDict(extra="allow")

    id: str
    seq: int
    role: Literal["user", "agent", "system"]
    author: str
    text: str
    in_reply_to: str | None = None
    at: datetime = Field(default_factory=now)
    metadata: dict[str, Any] = Field(default_factory=dict)
