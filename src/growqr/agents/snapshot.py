"""The snapshot of an agent in its user's repository: `state/snapshot.json`.

It holds what is nowhere else in Git: which actors and projects the user has, and the newest
messages and tasks. It says nothing of the time, so that writing it twice is no change.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from growqr.agents.spec import AgentName
from growqr.errors import InvalidInput
from growqr.events import ChannelMessage, Task
from growqr.git.forge import BlobNotFound, BranchNotFound, Forge, RepoRef
from growqr.git.layout import SNAPSHOT

PATH = SNAPSHOT
SCHEMA = 1
MAX_MESSAGES = 200
MAX_TASKS = 100
MAX_TEXT_BYTES = 16_000
"""Of one message or instruction; longer ones are cut in the snapshot."""
MAX_BYTES = 256 * 1024
"""Of all messages together; the oldest are left out first."""
MAX_FILE_BYTES = 2 * 1024 * 1024

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class SnapshotInvalid(InvalidInput):
    """The file can't be read as a snapshot."""

    code = "snapshot_invalid"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SavedUser(_Part):
    """Whose life this is."""

    id: Id
    name: str


class SavedActor(_Part):
    """A row of the registry. What it may do is the platform's to say, so it is not here."""

    id: Id
    name: AgentName
    channel_id: Id
    workspace_id: Id | None
    status: Literal["running", "stopped"] = "running"
    seen: bool = False
    """Whether it has ever told anything: an agent that has not yet lived has nothing to restore."""


class SavedRepo(_Part):
    """A repository of the user; the Git data itself is in the forge."""

    id: Id
    name: str
    kind: Literal["primary", "project"]
    description: str = ""
    default_branch: str = "main"
    created_at: datetime


class SavedMessage(ChannelMessage):
    """A message and the agent in whose channel it is."""

    agent: str


class SavedRun(_Part):
    """A quest run that is not finished; its steps and answers are in its own file."""

    id: Id
    quest_key: str
    task_id: Id


class Snapshot(_Part):
    """All that a restore needs besides the repository's Markdown."""

    version: int = Field(SCHEMA, alias="schema", ge=1, le=SCHEMA)
    user: SavedUser
    actors: list[SavedActor] = Field(max_length=32)
    repos: list[SavedRepo] = Field(max_length=1_000)
    tasks: list[Task] = Field(max_length=10 * MAX_TASKS)
    """The newest, oldest first."""
    runs: list[SavedRun] = Field([], max_length=MAX_TASKS)
    messages: list[SavedMessage] = Field(max_length=10 * MAX_MESSAGES)
    """The newest of all channels, oldest first."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    def text(self) -> str:
        """Return the file's content."""
        plain = self.model_dump(mode="json", by_alias=True)
        return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def parse(data: bytes) -> Snapshot:
    """Return what the file says. Raises SnapshotInvalid: people can push anything."""
    if len(data) > MAX_FILE_BYTES:
        raise SnapshotInvalid(f"`{PATH}` has {len(data)} bytes, more than {MAX_FILE_BYTES}")
    try:
        return Snapshot.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise SnapshotInvalid(f"`{PATH}` can't be read: {where or 'not JSON'}") from error


async def read(forge: Forge, repo: RepoRef, ref: str = "main") -> Snapshot | None:
    """Return the repository's snapshot, None when there is none. Raises SnapshotInvalid."""
    try:
        return parse(await forge.blob(repo, PATH, ref=ref))
    except (BlobNotFound, BranchNotFound):
        return None


def bounded(messages: Sequence[SavedMessage]) -> list[SavedMessage]:
    """Return the newest messages within count and size, oldest first."""
    kept: list[SavedMessage] = []
    size = 0
    for message in reversed(messages[-MAX_MESSAGES:]):
        message = message.model_copy(update={"text": shortened(message.text)})
        size += len(message.model_dump_json())
        if size > MAX_BYTES:
            break
        kept.append(message)
    return kept[::-1]


def bounded_tasks(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks with long instructions cut, oldest first."""
    cut = (task.model_copy(update={"prompt": shortened(task.prompt)}) for task in tasks)
    return sorted(cut, key=lambda task: (task.created_at, task.id))


def shortened(text: str) -> str:
    """Return the text, cut to MAX_TEXT_BYTES."""
    raw = text.encode(errors="replace")
    if len(raw) <= MAX_TEXT_BYTES:
        return text
    return raw[:MAX_TEXT_BYTES].decode(errors="ignore") + "\n… (cut: too long)"
