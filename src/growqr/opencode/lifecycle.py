"""When the server of one workspace runs: started on demand, stopped when idle, watched."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from growqr.opencode import upkeep
from growqr.opencode.line import Line
from growqr.opencode.logs import WorkspaceLog
from growqr.opencode.places import Place, Places
from growqr.opencode.sandbox import Gateway, Sandbox
from growqr.opencode.server import Server
from growqr.opencode.types import (
    StatusChanged,
    WorkspaceFailed,
    WorkspaceSpec,
    WorkspaceState,
    WorkspaceStatus,
)
from growqr.opencode.watching import Watchers
from growqr.settings import Settings


class Lifecycle:
    """One workspace's server and states; at most one server at a time."""

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
        log: WorkspaceLog,
        watchers: Watchers,
    ) -> None:
        self.spec = spec
        self.status = WorkspaceStatus("provisioned")
        self.server: Server | None = None
        self._place = place
        self._settings = settings
        self._places = places
        self._sandbox = sandbox
        self._gateway = gateway
        self._line = line
        self._log = log
        self._watchers = watchers
        self._starting: asyncio.Task[Server] | None = None
        self._stopping = asyncio.Lock()
        self._users = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def running(self) -> Server:
        """Return the server once it answers; waits for a place in line first."""
        if self.server is not None:
            return self.server
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

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Server]:
        """A running server that is not stopped for being idle."""
        self._users += 1
        self._cancel_idle()
        try:
            yield await self.running()
        finally:
            self._users -= 1
            self._rest()

    async def stop(self, reason: str | None) -> None:
        """Stop the server, or the start under way; safe to repeat."""
        await asyncio.shield(self._own(self._stop(reason, only_idle=False)))

    async def aclose(self) -> None:
        """Stop for good and end every task of this workspace."""
        await self.stop(None)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def set(self, state: WorkspaceState, reason: str | None = None) -> None:
        status = WorkspaceStatus(state, reason)
        if status != self.status:
            self.status = status
            self._log.add(f"{state}: {reason}" if reason else state)
            if state in ("stopped", "failed"):
                self._log.close()  # a worker outlives thousands of workspaces
            self._watchers.tell(StatusChanged(status))

    async def _start(self) -> Server:
        taken = False
        try:
            async with self._stopping:
                pass  # the old server must be gone: two on one home would mix their histories
            await self._line.take(self.spec.user_id, self._moved)
            taken = True
            async with self._line.start(self._crowded):
                self.set("starting")
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
                self._line.give(self.spec.user_id)
            await self._gateway.close(self.spec.id)
            if isinstance(error, Exception):
                self.set("failed", getattr(error, "detail", None) or type(error).__name__)
            raise
        finally:
            self._starting = None
        self.server = server
        self._places.record(self._place, server.pid, server.stage)
        self._own(self._notice_end(server))
        self._own(self._look_after(server))
        self.set("ready")
        self._rest()
        return server

    async def _stop(self, reason: str | None, *, only_idle: bool) -> None:
        async with self._stopping:
            if only_idle and self._users:
                return
            if self._starting is not None and self.server is None:
                self._starting.cancel()
                await asyncio.wait([self._starting])
            if self.server is not None:
                server, self.server = self.server, None
                await self._clear(server, reason)
                self.set("stopped", reason)
            elif self.status.state == "starting":
                self.set("stopped", reason)

    async def _notice_end(self, server: Server) -> None:
        await server.ended.wait()
        async with self._stopping:
            if self.server is server:  # nobody stopped it
                self.server = None
                await self._clear(server)
                self.set("failed", server.reason)

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
        looks = 0
        while not await server.ended_within(upkeep.SECONDS):
            looks += 1
            if await asyncio.to_thread(disk.over):
                full = f"the workspace holds more than {settings.disk_bytes >> 20} MiB"
                self._own(self._stop(full, only_idle=False))
                return
            if self._users or not settings.recycle_bytes or looks % upkeep.MEMORY_EVERY:
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
            self._line.give(self.spec.user_id)

    def _rest(self) -> None:
        """When nobody uses the server, start the clock that stops it."""
        if self._users or self.server is None:
            return
        self._cancel_idle()
        self._idle_timer = asyncio.get_running_loop().call_later(
            self._settings.sandbox.idle_seconds, self._stop_if_idle, "it was idle"
        )
        self._line.idle(self, self.spec.user_id, self._stop_if_idle)

    def _moved(self, ahead: int | None) -> None:
        if ahead is None:
            self.set("starting", "waits until another of your workspaces is done")
        else:
            self.set("starting", f"waits in line: {ahead} ahead" if ahead else "is next in line")

    def _crowded(self) -> None:
        self.set("starting", "waits until others have started")

    def lend(self) -> None:
        """While its turn waits for a person, the place goes to whoever needs it."""
        self._line.idle(self, self.spec.user_id, self._leave)

    def claim(self) -> None:
        """The turn goes on."""
        self._line.in_use(self)

    def _leave(self, reason: str) -> bool:
        self._own(self._stop(f"{reason} while it waited for an answer", only_idle=False))
        return True

    def _stop_if_idle(self, reason: str) -> bool:
        if self._users or self.server is None:
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


def _retrieve(task: asyncio.Task[Server]) -> None:
    """Mark a failed start as seen even if every caller went away meanwhile."""
    if not task.cancelled():
        task.exception()
