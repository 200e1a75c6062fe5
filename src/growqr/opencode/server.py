"""One running OpenCode server: started, checked, watched, ended."""

import asyncio
import secrets
import signal
from pathlib import Path

from growqr.opencode import config
from growqr.opencode.binaries import find_opencode
from growqr.opencode.client import OpenCodeClient
from growqr.opencode.logs import WorkspaceLog
from growqr.opencode.places import Place
from growqr.opencode.refusals import advice_on
from growqr.opencode.rules import Rules
from growqr.opencode.sandbox import Gateway, Running, Sandbox, SandboxSpec
from growqr.opencode.types import WorkspaceFailed, WorkspaceSpec
from growqr.settings import SandboxSettings

_START_SECONDS = 60
_LINE_BYTES = 8192
_LAST_WORDS_SECONDS = 2


class Server:
    """A server that answers; `ended` is set when it is gone, then `reason` says why."""

    def __init__(self, running: Running, client: OpenCodeClient, log: WorkspaceLog) -> None:
        self.client = client
        self.ended = asyncio.Event()
        self.reason = ""
        self._running = running
        self._log = log
        self._listening = asyncio.Event()
        self._last_line = ""
        self._ending = ""
        self._watching = asyncio.create_task(self._watch(), name="opencode-watch")

    @classmethod
    async def start(
        cls,
        spec: WorkspaceSpec,
        place: Place,
        settings: SandboxSettings,
        sandbox: Sandbox,
        gateway: Gateway,
        log: WorkspaceLog,
    ) -> "Server":
        """Start a server and wait until it answers with the configuration we gave it.

        Raises:
            WorkspaceFailed: it ended, did not answer in time, or ignores its configuration.
            SandboxUnavailable: this host can't lock it in.
        """
        password = secrets.token_urlsafe(24)
        running = await sandbox.start(
            SandboxSpec(
                id=spec.id,
                root=place.root,
                uid=place.uid,
                read_only=spec.rules.read_only,
                model_socket=await gateway.open(spec.id, spec.user_id),
                environment=config.environment(
                    gateway.opencode_config(spec.id), spec.rules, password=password
                ),
                opencode=find_opencode(settings),
                memory_bytes=settings.memory_bytes,
                max_processes=settings.max_processes,
                cpus=settings.cpus,
            )
        )
        server = cls(running, OpenCodeClient(running.control, password), log)
        for note in running.notes:
            log.add(note)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await server._ready(spec.rules)
        except TimeoutError as error:
            await server.stop()
            raise WorkspaceFailed(f"OpenCode did not answer in {_START_SECONDS} s.") from error
        except BaseException:
            await server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """Host process whose end is the server's end."""
        return self._running.pid

    @property
    def stage(self) -> Path:
        """Folder on the host that the running server needs."""
        return self._running.control.parent

    async def memory_bytes(self) -> int | None:
        """Return what everything in the sandbox holds; None: not known."""
        return await self._running.memory_bytes()

    async def ended_within(self, seconds: float) -> bool:
        """Wait for the end, at most so long, or until a stop under way is over.

        Tells whether the server is gone.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            if not self._ending:
                return False
            await self.ended.wait()  # sandboxes end in bounded time
        return True

    async def stop(self, reason: str = "The workspace was stopped.") -> None:
        """End everything in the sandbox; safe to repeat."""
        self._ending = self._ending or reason
        await self.client.aclose()
        await self._running.kill()
        await self._watching

    async def _ready(self, rules: Rules) -> None:
        # the port accepts before the server answers and such a request hangs: wait for the line
        waits = [asyncio.create_task(event.wait()) for event in (self._listening, self.ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.ended.is_set():
            raise WorkspaceFailed(self.reason)
        if not config.rules_in_force(await self.client.agents(), rules):
            raise WorkspaceFailed("OpenCode does not follow the permissions it was given.")

    async def _watch(self) -> None:
        reading = asyncio.create_task(self._read_output(), name="opencode-output")
        code = await self._running.wait()
        # its last words say why it ended, but the end must not wait for them: what passes
        # the output on, such as a container engine, may never close it
        await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
        reading.cancel()
        await asyncio.wait([reading])
        self.reason = self._ending or await self._how_it_ended(code)
        self.ended.set()

    async def _how_it_ended(self, code: int) -> str:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        reason = f"OpenCode ended ({how})."
        if code == 128 + signal.SIGKILL:  # the server was killed, not the sandbox around it
            if await self._running.out_of_memory():
                return "OpenCode was killed: the workspace's memory ran out."
            reason = "OpenCode was killed, perhaps because its memory ran out."
        said = self._last_line
        if code > 0 and said:
            reason += f" It said: {said[:300].rstrip('.')}."
        return f"{reason} {advice_on(said)}".strip()

    async def _read_output(self) -> None:
        """Log the server's lines until it closes its output; a long line is cut up."""
        rest = b""
        while chunk := await self._running.output.read(_LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line.decode(errors="replace").strip())
        self._take(rest.decode(errors="replace").strip())

    def _take(self, line: str) -> None:
        if not line:
            return
        self._last_line = line
        self._log.add(line, "server")
        if "server listening on" in line:
            self._listening.set()
