"""OpenCode servers in sandboxes: `Workspaces` is the way in."""

from growqr.opencode.binaries import find_opencode
from growqr.opencode.sandbox import Gateway
from growqr.opencode.types import (
    Asked,
    Finished,
    LogLine,
    Missed,
    Progress,
    Said,
    SessionProgress,
    Snapshot,
    StatusChanged,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    WorkspaceEvent,
    WorkspaceFile,
    WorkspaceSpec,
    WorkspaceStatus,
)
from growqr.opencode.workspace import Workspace
from growqr.opencode.workspaces import Workspaces

__all__ = [
    "Asked",
    "Finished",
    "Gateway",
    "LogLine",
    "Missed",
    "Progress",
    "Said",
    "SessionProgress",
    "Snapshot",
    "StatusChanged",
    "ToolFinished",
    "ToolStarted",
    "TurnFailed",
    "Workspace",
    "WorkspaceEvent",
    "WorkspaceFile",
    "WorkspaceSpec",
    "WorkspaceStatus",
    "Workspaces",
    "find_opencode",
]
