"""A workspace: the folder and the OpenCode server of one actor."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from growqr.opencode import files as workspace_files
from growqr.opencode import upkeep
from growqr.opencode.line import Line
from growqr.opencode.logs import WorkspaceLog
from growqr.opencode.places import Place, Places
from growqr.opencode.prompting import Conversation
from growqr.opencode.sandbox import Gateway, Sandbox
from growqr.opencode.server import Server
from growqr.opencode.types import (
    LogLine,
    Progress,
    SessionBusy,
    SessionMissing,
    SessionProgress,
    Snapshot,
    StatusChanged,
    WorkspaceEvent,
    WorkspaceFailed,
    WorkspaceFile,
    WorkspaceSpec,
    WorkspaceState,
    WorkspaceStatus,
)
from growqr.opencode.watching import Watchers
from growqr.settings import Settings


class Workspace:
    """Get one from `Workspaces`. Its files and sessions stay when the server stops."""

    def __init__(
        self,
        spec: WorkspaceSpec,
        place: Place,
        *,
        settings: Settings,
        places: Places,
        sandbox: Sandbox,
        gateway: Gateway,
        line: Line,
    ) -> None:
        self.spec = spec
        self._place = place
        self._settings = settings
        self._places = places
        self._sandbox = sandbox
        self._gateway = gateway
        self._line = line
        self._limits = workspace_files.FileLimits(
            settings.git.max_file_bytes, settings.git.max_files_per_commit
        )
        self._log = WorkspaceLog(settings.data_dir / "logs" / "workspaces" / f"{spec.id}.log")
        self._watchers = Watchers()
        self._status = WorkspaceStatus("provisioned")
        self._server: Server | None = None
        self._starting: asyncio.Task[Server] | None = None
        self._stopping = asyncio.Lock()
        self._prompts: dict[str, Conversation | None] = {}
        self._aborted: set[str] = set()
        self._users = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def status(self) -> WorkspaceStatus:
        return self._status

    @property
    def path(self) -> Path:
        """The folder with the files on this host.

        Never open anything below it by path: what runs inside can put a link there at any
        time. Use `files` and `write_files`.
        """
        return self._place.files

    @property
    def server_pid(self) -> int | None:
        """Host process of the sandbox, while one runs."""
        return self._server.pid if self._server else None

    async def start(self) -> None:
        """Wait for a place in line, then until OpenCode answers; safe to repeat and to race.

        Raises:
            WorkspaceFailed: it did not start; starting again may work.
            SandboxUnavailable: this host can't run it; the detail says what to do.
        """
        await self._running()

    async def stop(self, reason: str | None = None) -> None:
        """Stop the server, or the start under way; turns end as failed. Safe to repeat."""
        await asyncio.shield(self._own(self._stop(reason, only_idle=False)))

    async def aclose(self) -> None:
        """Stop for good and end every task of this workspace."""
        await self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._log.close()

    async def create_session(self, title: str) -> str:
        """Return the id of a new session; starts the server when it is not running."""
        async with self._used() as server:
            return await server.client.create_session(title)

    async def prompt(self, session_id: str, text: str) -> AsyncGenerator[Progress, None]:
        """Ask and yield what happens; the last item is Finished or TurnFailed.

        Starts the server when it is not running. Leaving the loop early aborts the turn.

        Raises:
            SessionBusy: this session works on another prompt.
            SessionMissing: there is no such session (any more): create one.
            WorkspaceFailed, SandboxUnavailable: the prompt could not be sent.
        """
        if session_id in self._prompts:
            raise SessionBusy("This session works on another prompt.")
        self._prompts[session_id] = None
        try:
            async with self._used() as server:
                self._set("busy")
                conversation = Conversation(server, session_id, self._settings.sandbox)
                self._prompts[session_id] = conversation
                if session_id in self._aborted:
                    await conversation.abort()
                async with aclosing(conversation.run(text)) as turn:
                    async for progress in turn:
                        self._watchers.tell(SessionProgress(session_id, progress))
                        yield progress
        finally:
            del self._prompts[session_id]
            self._aborted.discard(session_id)
            stopping = self._server is None
            if not self._prompts and self._status.state == "busy" and not stopping:
                self._set("idle")

    def begin_task(self, used: int = 0) -> None:
        """Begin a task's budget of tokens; `used` counts what it used before a restart."""
        self._gateway.begin_task(self.spec.id, self.spec.user_id, used)

    @property
    def task_tokens(self) -> int:
        """What this task used of the model, in and out, as the gateway counted outside."""
        return self._gateway.task_tokens(self.spec.id)

    async def answer(self, session_id: str, question_id: str, text: str) -> None:
        """Answer what `Asked` asked.

        Raises:
            SessionMissing: the question is not open (any more).
        """
        conversation = self._prompts.get(session_id)
        if self._server is None or conversation is None:
            raise SessionMissing("The session does not wait for an answer.")
        wanted = conversation.turn.questions.pop(question_id, None)
        if wanted is None:
            raise SessionMissing("The session does not wait for this answer.")
        await self._server.client.answer(question_id, text, wanted)

    async def abort(self, session_id: str) -> None:
        """Stop the session's turn, if one runs; its prompt ends with TurnFailed(aborted)."""
        if session_id in self._prompts:
            conversation = self._prompts[session_id]
            if conversation is None:
                self._aborted.add(session_id)  # it waits for the server to start
            else:
                await conversation.abort()

    async def files(self) -> list[WorkspaceFile]:
        """Return the regular files, sorted by path; no link is followed, no cache included.

        Raises:
            TooManyFiles: more than one commit takes.
        """
        return (await self.snapshot()).files

    async def snapshot(self) -> Snapshot:
        """Like `files`, and tells what was left out and why."""
        return await asyncio.to_thread(workspace_files.read_files, self._place.files, self._limits)

    async def write_files(self, files: Sequence[WorkspaceFile]) -> None:
        """Write files, each in one step; others stay as they are.

        Raises:
            UnsafePath: a path leaves the workspace or crosses a link.
            TooManyFiles: too many, or one too large.
        """
        await asyncio.to_thread(
            workspace_files.write_files,
            self._place.files,
            files,
            self._limits,
            owner=self._place.uid,
        )

    async def delete_files(self, paths: Sequence[str]) -> None:
        """Delete files; what is absent or behind a link is left alone.

        Raises:
            UnsafePath: a path leaves the workspace.
        """
        await asyncio.to_thread(workspace_files.delete_files, self._place.files, paths)

    def logs(self, after: int = 0) -> list[LogLine]:
        """Return the kept log lines with a greater `seq`; the last 2,000 are kept."""
        return self._log.after(after)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[WorkspaceEvent]]:
        """Follow status and sessions from now on; a slow follower gets `Missed`."""
        with self._watchers.watching() as events:
            yield events

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[Server]:
        """A running server that is not stopped for being idle."""
        self._users += 1
        self._cancel_idle()
        try:
            yield await self._running()
        finally:
            self._users -= 1
            self._rest()

    async def _running(self) -> Server:
        if self._server is not None:
            return self._server
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name=f"start {self.spec.id}")
            self._starting.add_done_callback(_retrieve)
        starting = self._starting
        try:
            # shared by everyone who waits, so the first caller's cancellation must not end it
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise WorkspaceFailed("The workspace was stopped while it started.") from None

    async def _start(self) -> Server:
        taken = False
        try:
            async with self._stopping:
                pass  # the old server must be gone: two on one home would mix their histories
            self._set("starting", "waits for a free place")
            await self._line.take()
            taken = True
            self._set("starting")
            await self._make_room()
            server = await Server.start(
                self.spec,
                self._place,
                self._settings.sandbox,
                self._sandbox,
                self._gateway,
                self._log,
            )
        except BaseException as error:
            if taken:
                self._line.give()
            await self._gateway.close(self.spec.id)
            if isinstance(error, Exception):
                self._set("failed", getattr(error, "detail", None) or type(error).__name__)
            raise
        finally:
            self._starting = None
        self._server = server
        self._places.record(self._place, server.pid, server.stage)
        self._own(self._notice_end(server))
        self._own(self._look_after(server))
        self._set("ready")
        self._rest()
        return server

    async def _stop(self, reason: str | None, *, only_idle: bool) -> None:
        async with self._stopping:
            if only_idle and self._users:
                return
            if self._starting is not None and self._server is None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
            if self._server is not None:
                server, self._server = self._server, None
                await self._clear(server, reason)
                self._set("stopped", reason)
            elif self._status.state == "starting":
                self._set("stopped", reason)

    async def _notice_end(self, server: Server) -> None:
        await server.ended.wait()
        async with self._stopping:
            if self._server is server:  # nobody stopped it
                self._server = None
                await self._clear(server)
                self._set("failed", server.reason)

    async def _make_room(self) -> None:
        """Over its disk limit, a workspace loses what could not be committed anyway."""
        limit, folders = self._settings.sandbox.disk_bytes, self._place.writable
        if not limit or await asyncio.to_thread(upkeep.used_bytes, folders) <= limit:
            return
        most = self._settings.git.max_file_bytes
        deleted = await asyncio.to_thread(upkeep.make_room, *folders, keep_bytes=most)
        for path, size in deleted.items():
            self._log.add(f"deleted {path}, {size} bytes: the workspace was over its disk limit")
        if await asyncio.to_thread(upkeep.used_bytes, folders) > limit:
            raise WorkspaceFailed(
                f"The workspace holds more than {limit >> 20} MiB of small files."
            )

    async def _look_after(self, server: Server) -> None:
        """Stop the server when the workspace is full, or when it holds much memory idly."""
        settings = self._settings.sandbox
        disk = upkeep.DiskWatch(self._place.writable, settings.disk_bytes)
        while not await server.ended_within(upkeep.SECONDS):
            if await asyncio.to_thread(disk.over):
                full = f"the workspace holds more than {settings.disk_bytes >> 20} MiB"
                self._own(self._stop(full, only_idle=False))
                return
            if self._users or not settings.recycle_bytes:
                continue
            held = await server.memory_bytes()
            if held is not None and held > settings.recycle_bytes:
                grown = f"its memory had grown to {held >> 20} MiB"
                self._own(self._stop(grown, only_idle=True))

    async def _clear(self, server: Server, reason: str | None = None) -> None:
        self._cancel_idle()
        try:
            await server.stop(*([f"The workspace was stopped: {reason}."] if reason else []))
            await self._gateway.close(self.spec.id)
            self._places.forget(self._place)
        finally:
            self._line.give()

    def _rest(self) -> None:
        """When nobody uses the server, start the clock that stops it."""
        if self._users or self._server is None:
            return
        self._cancel_idle()
        self._idle_timer = asyncio.get_running_loop().call_later(
            self._settings.sandbox.idle_seconds, self._stop_if_idle, "it was idle"
        )
        self._line.idle(self, self._stop_if_idle)

    def _stop_if_idle(self, reason: str) -> bool:
        if self._users or self._server is None:
            return False
        self._own(self._stop(reason, only_idle=True))
        return True

    def _cancel_idle(self) -> None:
        self._line.in_use(self)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _set(self, state: WorkspaceState, reason: str | None = None) -> None:
        status = WorkspaceStatus(state, reason)
        if status != self._status:
            self._status = status
            self._log.add(f"{state}: {reason}" if reason else state)
            self._watchers.tell(StatusChanged(status))


def _retrieve(task: asyncio.Task[Server]) -> None:
    """Mark a failed start as seen even if every caller went away meanwhile."""
    if not task.cancelled():
        task.exception()
