"""Locks OpenCode servers in as containers, one each, through the Docker Engine API.

The engine must have root and this host's file system: what a server writes lies in the data
folder, under a host uid that belongs to its workspace alone. Nothing is published, nothing
is shared with other containers, and the image is read only.
"""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from growqr.opencode.container_engine import ContainerEngine, EngineError, engine_socket
from growqr.opencode.container_output import Printed
from growqr.opencode.container_stage import ContainerStage, container_settings
from growqr.opencode.handover import Handover
from growqr.opencode.processes import alive, process, process_end
from growqr.opencode.sandbox import SandboxSpec
from growqr.opencode.stages import listen
from growqr.opencode.types import SandboxUnavailable

_PATIENCE_SECONDS = 15.0
"""With an engine that does not answer, or has not noticed an end."""
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_UNKNOWN = 255
"""Exit code when the engine can't tell it."""
_ROOT_LABEL = "growqr.workspaces"
_ID_LABEL = "growqr.workspace"
_WORKER_LABEL = "growqr.worker"

log = structlog.get_logger(__name__)


class ContainerSandbox:
    """The `Sandbox` for hosts with Podman or Docker."""

    def __init__(self, image: str, socket: str = "", *, data_dir: Path) -> None:
        """`socket` names the engine's Unix socket; empty: Podman's, else Docker's."""
        self._image = image
        self._socket = socket
        self._root_label = f"{_ROOT_LABEL}={data_dir.resolve()}"
        self._engine: ContainerEngine | None = None
        self._podman = False
        self._opening = asyncio.Lock()

    async def start(self, spec: SandboxSpec) -> "ContainerRunning":
        engine = await self._opened()
        uid = spec.uid or os.geteuid()
        if uid == 0:
            raise SandboxUnavailable("A sandbox needs a host uid of its own that is not 0.")
        for left, _ in await engine.labelled(self._root_label, f"{_ID_LABEL}={spec.id}"):
            await engine.remove(left)  # two servers on one home would mix their histories
        stage = await asyncio.to_thread(ContainerStage, spec)
        handover = None
        try:
            handover = Handover(stage.door, listen(stage.control), uid)
            container = await engine.create(
                f"growqr-{spec.id}-{secrets.token_hex(4)}",
                {
                    **container_settings(spec, uid, stage, image=self._image, podman=self._podman),
                    "Labels": {
                        _ROOT_LABEL: self._root_label.partition("=")[2],
                        _ID_LABEL: spec.id,
                        _WORKER_LABEL: _worker(),
                    },
                },
            )
            try:
                printed = await engine.attach(container)
                await engine.start(container)
                pid = _seen(await engine.inspect(container), uid)
            except BaseException:
                with contextlib.suppress(EngineError):  # what went wrong first counts
                    await engine.remove(container)
                raise
        except BaseException as error:
            if handover is not None:
                await handover.aclose()
            stage.remove()
            if isinstance(error, OSError):
                raise SandboxUnavailable(f"The sandbox did not start: {error}.") from error
            raise
        return ContainerRunning(engine, container, pid, printed, stage, handover)

    async def end_orphans(self) -> int:
        """Remove the containers of workers that died on this host."""
        try:
            engine = await self._opened()
        except SandboxUnavailable:
            return 0  # the first start says so
        ended = 0
        for container, labels in await engine.labelled(self._root_label):
            if _is_dead(labels.get(_WORKER_LABEL, "")):
                await engine.remove(container)
                ended += 1
        return ended

    async def aclose(self) -> None:
        if self._engine is not None:
            await self._engine.aclose()

    async def _opened(self) -> ContainerEngine:
        async with self._opening:
            if self._engine is None:
                engine = ContainerEngine(engine_socket(self._socket))
                try:
                    self._podman = await self._checked(engine)
                except BaseException:
                    await engine.aclose()
                    raise
                self._engine = engine
            return self._engine

    async def _checked(self, engine: ContainerEngine) -> bool:
        if await engine.is_rootless():
            raise SandboxUnavailable(
                "The container engine runs without root, so it can't give each workspace a user"
                " id of its own. Use an engine with root, or GROWQR_SANDBOX__RUNTIME=bubblewrap."
            )
        if not await engine.has_image(self._image):
            raise SandboxUnavailable(
                f"The engine has no image `{self._image}`: build it with `deploy/build-image`,"
                " or name another with GROWQR_SANDBOX__IMAGE."
            )
        return await engine.is_podman()


class ContainerRunning:
    """A started container and what it needs on the host."""

    def __init__(
        self,
        engine: ContainerEngine,
        container: str,
        pid: int,
        printed: Printed,
        stage: ContainerStage,
        handover: Handover,
    ) -> None:
        self._engine = engine
        self._container = container
        self._stage = stage
        self._handover = handover
        self._removing = False
        self._gone = asyncio.Event()
        self.pid = pid
        self.control = stage.control
        self.output = printed
        self.notes: Sequence[str] = ()
        self._end = asyncio.create_task(self._wait(), name="container-wait")

    async def memory_bytes(self) -> int | None:
        with contextlib.suppress(EngineError):
            return await self._engine.memory_bytes(self._container)
        return None

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def out_of_memory(self) -> bool | None:
        with contextlib.suppress(EngineError):
            state = (await self._engine.inspect(self._container)).get("State") or {}
            # where control groups are of version 1, Podman says False whatever happened
            return bool(state.get("OOMKilled")) or None
        return None

    async def kill(self) -> None:
        self._removing = True
        try:
            await self._engine.remove(self._container)
        except EngineError as error:
            # it ends all the same when the handover does, and the next start removes it
            log.warning("container.remove_failed", container=self._container, error=error.detail)
        self._gone.set()
        await self._end
        await self.output.aclose()
        await self._handover.aclose()
        self._stage.remove()

    async def _wait(self) -> int:
        """Ask the engine for the end until it says so, or until we removed the container."""
        gone = asyncio.create_task(self._gone.wait())
        asked = asyncio.create_task(self._exit_code())
        try:
            await asyncio.wait([gone, asked], return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() and not gone.done() else -9
        finally:
            for task in (gone, asked):
                task.cancel()
            await asyncio.wait([gone, asked])

    async def _exit_code(self) -> int:
        """Wait for the container's end and return its exit code.

        The process itself tells its end, where this host sees it. A standing question to the
        engine would cost half a processor: Podman answers it by looking without a pause.
        """
        clock = asyncio.get_running_loop().time
        if self.pid:
            await process_end(self.pid)
        patience = clock() + _PATIENCE_SECONDS
        while clock() < patience:
            try:
                state = (await self._engine.inspect(self._container)).get("State") or {}
            except EngineError as error:
                if error.answer is not None:
                    if not self._removing:
                        log.warning("container.lost", container=self._container, error=error.detail)
                    return _UNKNOWN
                state = {"Running": True}  # the engine restarts perhaps; the container lives on
            else:
                if not self.pid:
                    patience = clock() + _PATIENCE_SECONDS
            if not state.get("Running"):
                return int(state.get("ExitCode") or 0)
            await asyncio.sleep(_AGAIN_SECONDS if self.pid else _LOOK_SECONDS)
        log.warning("container.engine_lost", container=self._container)
        return _UNKNOWN


def _seen(facts: Mapping[str, Any], uid: int) -> int:
    """Return the container's first process, if it is one of this host's and runs as `uid`."""
    pid = int((facts.get("State") or {}).get("Pid") or 0)
    try:
        return pid if pid and Path(f"/proc/{pid}").stat().st_uid == uid else 0
    except OSError:
        return 0


def _worker() -> str:
    """Name this process so that a later one, which sees the same processes, can look for it."""
    return json.dumps([_processes_seen(), *process(os.getpid())])


def _is_dead(label: str) -> bool:
    try:
        seen, pid, started = json.loads(label)
    except (ValueError, TypeError):
        return False
    return bool(seen == _processes_seen()) and not alive([pid, started])


def _processes_seen() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
