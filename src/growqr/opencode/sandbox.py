"""The port to what locks an OpenCode server in: bubblewrap or a container."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

WORKSPACE = "/workspace"
HOME = "/home/agent"
SERVER_PORT = 4096
MODEL_PORT = 9911
"""Loopback port inside on which the model gateway answers."""


@dataclass(frozen=True)
class SandboxSpec:
    """One server to lock in."""

    id: str
    root: Path
    """Holds `ws` (mounted as /workspace) and `home`; nothing else of it is visible inside."""
    uid: int | None
    """Host uid for everything inside; None: the uid of this process."""
    read_only: bool
    model_socket: Path
    """The only way out: a Unix socket of the model gateway."""
    environment: Mapping[str, str]
    """Never a secret of the platform: everything inside can read it."""
    opencode: Path
    memory_bytes: int
    max_processes: int
    cpus: float
    """Processors' worth of time; 0: no limit."""


class Output(Protocol):
    """Bytes as they come."""

    async def read(self, most: int, /) -> bytes:
        """Return some bytes, at most so many; empty at the end."""


class Running(Protocol):
    """A started sandbox."""

    @property
    def pid(self) -> int:
        """Host process whose end is the end of everything inside; 0: not one of this host."""

    @property
    def control(self) -> Path:
        """Unix socket on which OpenCode's HTTP API answers; not reachable from inside."""

    @property
    def output(self) -> Output:
        """What the server prints, both streams."""

    @property
    def notes(self) -> Sequence[str]:
        """Limits that this host could not give, in words for the log."""

    async def memory_bytes(self) -> int | None:
        """Return what everything inside holds, without cached files; None: not known."""

    async def wait(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""

    async def out_of_memory(self) -> bool | None:
        """Tell after the end whether memory ran out inside before it; None: not known."""

    async def kill(self) -> None:
        """End everything inside at once and free what it held; safe to repeat."""


class Sandbox(Protocol):
    async def start(self, spec: SandboxSpec) -> Running:
        """Start the server; it may take a second more until it answers.

        Raises:
            SandboxUnavailable: this host lacks something; the detail says what to do.
        """

    async def end_orphans(self) -> int:
        """End what a dead worker left of this kind; returns how many ran."""

    async def aclose(self) -> None:
        """Give back what this object itself holds; started sandboxes are not ended."""


class Gateway(Protocol):
    """What a workspace needs to reach a language model; keys stay behind it."""

    async def open(self, workspace_id: str, user_id: str = "") -> Path:
        """Return the socket through which only this workspace asks, at this person's expense."""

    async def close(self, workspace_id: str) -> None:
        """Close that socket and end the requests under way; safe to repeat."""

    def begin_task(self, workspace_id: str, user_id: str, used: int = 0) -> None:
        """Begin a task's budget; `used` counts what it used before a restart."""

    def task_tokens(self, workspace_id: str) -> int:
        """Return what the workspace's task used so far, in and out."""

    def opencode_config(self, workspace_id: str) -> dict[str, Any]:
        """Return the provider part of OpenCode's configuration, with this workspace's token."""
