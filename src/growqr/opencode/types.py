"""What a workspace is, what it tells, and how it fails: plain values, no OpenCode payloads."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from growqr.errors import Conflict, GrowError, InvalidInput, TooLarge, Unavailable
from growqr.events import now
from growqr.opencode.rules import Rules

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

WorkspaceState = Literal["provisioned", "starting", "ready", "busy", "idle", "stopped", "failed"]


@dataclass(frozen=True)
class WorkspaceSpec:
    """Which workspace; the three ids name folders, so only letters, digits, `_` and `-`."""

    id: str
    user_id: str
    actor_id: str
    rules: Rules = field(default_factory=Rules)
    """What the model may do in it."""

    def __post_init__(self) -> None:
        for value in (self.id, self.user_id, self.actor_id):
            if not _NAME.fullmatch(value):
                raise InvalidInput(f"`{value[:80]}` can't name a workspace")


@dataclass(frozen=True)
class WorkspaceStatus:
    """Where a workspace is in its life.

    provisioned (never started) → starting → ready (no prompt yet) → busy ⇄ idle → stopped;
    failed can follow any of them, and a start can follow failed.
    """

    state: WorkspaceState
    reason: str | None = None
    """For a person: why it failed or stopped, or what it waits for."""


@dataclass(frozen=True)
class WorkspaceFile:
    """A regular file; `path` is relative, with `/` between names, never `..`."""

    path: str
    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The workspace's files at one moment, and what was left out with the reason."""

    files: list[WorkspaceFile]
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LogLine:
    """A line that the server or the platform wrote; `seq` counts from 1 per workspace."""

    seq: int
    at: datetime
    stream: Literal["server", "platform"]
    text: str


@dataclass(frozen=True)
class Said:
    """A finished piece of the model's text."""

    text: str


@dataclass(frozen=True)
class ToolStarted:
    """The model uses a tool; `title` is the command, the path, or the tool's own words."""

    tool: str
    title: str


@dataclass(frozen=True)
class ToolFinished:
    """A tool is done; `output` is cut to 16,000 characters."""

    tool: str
    title: str
    output: str
    exit_code: int | None
    """Of a command. None: not a command, or the tool itself failed (see `failed`)."""
    failed: bool = False
    """The tool reported an error, or its command ended with another code than 0."""
    denied: bool = False
    """A rule, or the person asked, did not let it run."""
    paths: tuple[str, ...] = ()
    """The files inside the workspace that the tool names, relative to it."""


@dataclass(frozen=True)
class Asked:
    """The model waits for a person; answer with `Workspace.answer`, a permission with `decide`."""

    question: str
    id: str = ""
    options: tuple[str, ...] = ()
    kind: Literal["question", "permission"] = "question"


@dataclass(frozen=True)
class Retrying:
    """The model did not answer; OpenCode asks it again by itself."""

    reason: str
    attempt: int


@dataclass(frozen=True)
class Finished:
    """The turn ended well; `text` is the model's last message, `tokens` what the turn used."""

    text: str
    tokens: int


@dataclass(frozen=True)
class TurnFailed:
    """The turn ended badly; what was written until then stays in the workspace."""

    reason: str
    retryable: bool
    aborted: bool = False
    """Somebody called `abort`."""


Progress = Said | ToolStarted | ToolFinished | Asked | Retrying | Finished | TurnFailed


@dataclass(frozen=True)
class StatusChanged:
    status: WorkspaceStatus
    at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class SessionProgress:
    session_id: str
    progress: Progress


@dataclass(frozen=True)
class Missed:
    """The watcher was too slow: this many events before the next one are gone."""

    count: int


WorkspaceEvent = StatusChanged | SessionProgress | Missed


class WorkspaceFailed(Unavailable):
    """The server could not start or died; starting again may work."""

    code = "workspace.failed"


class SandboxUnavailable(GrowError):
    """The host can't lock a server in; the detail says what to install or allow."""

    code = "workspace.sandbox_unavailable"
    status = 503
    title = "The sandbox is not available"


class SessionBusy(Conflict):
    """The session works on another prompt."""

    code = "workspace.session_busy"


class QuestionGone(Conflict):
    """The model waits for this answer no more, or never did."""

    code = "workspace.question_gone"


class SessionMissing(Conflict):
    """OpenCode doesn't know the session (any more)."""

    code = "workspace.session_missing"


class ProtocolError(Unavailable):
    """The server's answer was refused: too large, or not what its API promises."""

    code = "workspace.protocol"


class TooManyFiles(TooLarge):
    """The workspace has more files than one commit takes."""

    code = "workspace.too_many_files"


class UnsafePath(InvalidInput):
    """The path leaves the workspace, or crosses a link."""

    code = "workspace.unsafe_path"
