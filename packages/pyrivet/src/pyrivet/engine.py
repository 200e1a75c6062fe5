"""Rivet Engine as a child process, for one machine."""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from pyrivet._backoff import Backoff
from pyrivet._management import http_client
from pyrivet.errors import EngineError

log = logging.getLogger("pyrivet")

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05
_STOP_SECONDS = 9.0  # above the shutdown durations below; mostly it takes a second
_STABLE_SECONDS = 30.0
_START_TRIES = 3
_LOCK_SECONDS = 10.0
_LOCK_POLL_SECONDS = 0.2
_MAX_LOG_BYTES = 8 << 20
_LAST_LINES = 12

# Loopback only; nothing leaves the machine; notices dead workers in 4 s instead of 30; does not
# put off waking actors because other processes use the CPU; shuts down in seconds.
_SETTINGS = {
    "GUARD__HOST": "127.0.0.1",
    "API_PEER__HOST": "127.0.0.1",
    "METRICS__HOST": "127.0.0.1",
    "TELEMETRY__ENABLED": "false",
    # Bodies of HTTP requests stream, and a request is never sent to a second worker after the first
    # one died with it.
    "FEATURES__GUARD_GATEWAY_V3__MODE": "on",
    "FEATURES__GUARD_GATEWAY_V3__PERCENTAGE": "100",
    "GUARD__HTTP_MAX_REQUEST_BODY_SIZE": str(1 << 30),
    "PEGBOARD__BASE_RETRY_TIMEOUT": "250",
    "PEGBOARD__RESCHEDULE_BACKOFF_MAX_EXPONENT": "2",
    "PEGBOARD__ENVOY_LOST_THRESHOLD": "3000",
    "PEGBOARD__ENVOY_ELIGIBLE_THRESHOLD": "2500",
    "PEGBOARD__ENVOY_UPDATE_PING_INTERVAL": "1000",
    "PEGBOARD__ENVOY_PING_TIMEOUT": "3000",
    "PEGBOARD__GATEWAY_WEBSOCKET_RATE_LIMIT_REQUESTS": "1000000",
    "PEGBOARD__GATEWAY_WEBSOCKET_RATE_LIMIT_DRIP_RATE_MS": "1",
    "PEGBOARD__ENVOY_WEBSOCKET_RATE_LIMIT_REQUESTS": "10000000",
    "PEGBOARD__ENVOY_WEBSOCKET_RATE_LIMIT_DRIP_RATE_US": "1",
    "RUNTIME__WORKER_CPU_MAX": "1000000",
    # It sometimes misses that there is work to do, and then looks again only after this long: 16 s
    # by default, in which actors neither start nor stop. With 250 ms its retries come 5 s late.
    "RUNTIME__WORKER_POLL_INTERVAL_MS": "1000",
    # Nor does it always tell a waiting request that the actor is there, when both come as the first
    # worker connects: the client's next try is answered at once.
    "GUARD__ACTOR_READY_TIMEOUT_MS": "5000",
    # Upper bounds. An engine that is cut off leaves its work locked for 30 s.
    "RUNTIME__WORKER_SHUTDOWN_DURATION": "5",
    "RUNTIME__GUARD_SHUTDOWN_DURATION": "1",
    "RUNTIME__FORCE_SHUTDOWN_DURATION": "6",
}


@dataclass(frozen=True)
class _Ports:
    guard: int
    peer: int
    metrics: int


class Engine:
    """Runs the engine while inside `async with`; starts it again on the same ports when it dies.

    It ends with this process, however that ends. Only one may use a data folder at a time.

    Args:
        binary: `rivet-engine`, from the npm package `@rivetkit/engine-cli`.
        data_dir: what the engine keeps; made when missing.
        port: where it answers; a free one when None.
        token: admin token for its management API and for workers. Its gateway and its peer API
            ask for none, so every process on this machine can reach the actors.
        threads: of its own that run its work. With more than one, engine 2.3.19 sometimes takes up
            an actor's next piece of work while the thread that has just finished the last one is
            held up, prints "workflow already running on this worker" and never does it: that actor
            does not start, stop or move until the engine is started again.
        log_file: what it prints; `engine.log` in the data folder when None.
        settings: more of the engine's settings, or others than this class makes: its environment
            variables without `RIVET__`, such as `PEGBOARD__ENVOY_LOST_THRESHOLD`.
    """

    def __init__(
        self,
        binary: Path | str,
        data_dir: Path | str,
        *,
        port: int | None = None,
        token: str | None = None,
        threads: int = 1,
        log_file: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.token = token
        self.restarts = 0
        """How often it died and was started again."""
        self._binary = Path(binary)
        self._data_dir = Path(data_dir)
        self._log_file = log_file or self._data_dir / "engine.log"
        self._settings = dict(settings or {})
        self._threads = threads
        self._port = port
        self._log_start = 0
        self._ports: _Ports | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> str:
        """Where it answers, such as `http://127.0.0.1:41234`."""
        assert self._ports is not None, "not started"
        return f"http://127.0.0.1:{self._ports.guard}"

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        """Start it and wait until it answers; raises EngineError."""
        if not os.access(self._binary, os.X_OK) or not self._binary.is_file():
            raise EngineError(
                f"no Rivet Engine at {self._binary}: install the npm package @rivetkit/engine-cli"
            )
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._log_file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"cannot use the data folder: {error}") from error
        await self._first_start()
        self._supervisor = asyncio.create_task(self._supervise(), name="pyrivet-engine")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._halt()

    async def restart(self) -> None:
        """Stop it in good order and start it again on the same ports; raises EngineError."""
        await self._halt()
        await self._start()
        self._supervisor = asyncio.create_task(self._supervise(), name="pyrivet-engine")

    async def _first_start(self) -> None:
        deadline = asyncio.get_running_loop().time() + _LOCK_SECONDS
        for attempt in itertools.count(1):
            self._ports = _Ports(*_free_ports(self._port or 0, 0, 0))
            try:
                await self._start()
                return
            except EngineError as error:
                printed = self._printed()
                if "While lock file" in printed:
                    # Perhaps that of a process that was killed, which is just shutting down.
                    if asyncio.get_running_loop().time() > deadline:
                        raise EngineError(
                            f"another engine uses {self._data_dir}: stop it or use another folder"
                        ) from error
                    await asyncio.sleep(_LOCK_POLL_SECONDS)
                elif "in use" not in printed or attempt == _START_TRIES:
                    raise
                # Another process took one of the free ports in between.

    async def _supervise(self) -> None:
        backoff = Backoff(0.05, 5.0)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            assert self._process is not None
            code = await self._process.wait()
            if loop.time() - began > _STABLE_SECONDS:
                backoff.reset()
            log.error("engine.died", extra={"exit_code": code, "log_file": str(self._log_file)})
            await asyncio.sleep(backoff.delay())
            self.restarts += 1
            try:
                await self._start()
            except EngineError:
                log.exception("engine.restart_failed")
            else:
                log.info("engine.restarted", extra={"restarts": self.restarts})

    async def _start(self) -> None:
        command = [str(self._binary), "start", "--config", str(self._write_topology())]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            # When we are killed it must not go on and keep the folder locked. Nor be killed: the
            # next engine needs 30 s to notice that a killed one is gone, until then no actor
            # starts or stops.
            command = [setpriv, "--pdeathsig", "TERM", "--", *command]
        with self._open_log() as output:
            self._log_start = output.seek(0, os.SEEK_END)
            self._process = await asyncio.create_subprocess_exec(
                *command,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we stop it when its users have gone
            )
        try:
            async with asyncio.timeout(_START_SECONDS), http_client(self.endpoint) as http:
                while not await _healthy(http):
                    if self._process.returncode is not None:
                        raise EngineError(f"the engine ended at once:\n{self._last_lines()}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            await self._stop()
            lines = self._last_lines()
            raise EngineError(f"no answer within {_START_SECONDS:g} s:\n{lines}") from None
        except BaseException:
            await self._stop()
            raise

    async def _halt(self) -> None:
        assert self._supervisor is not None, "not started"
        self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        await self._stop()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _environment(self) -> Mapping[str, str]:
        assert self._ports is not None
        settings = _SETTINGS | {
            "FILE_SYSTEM__PATH": str(self._data_dir / "db"),
            "GUARD__PORT": str(self._ports.guard),
            "API_PEER__PORT": str(self._ports.peer),
            "METRICS__PORT": str(self._ports.metrics),
        }
        if self.token is not None:
            settings["AUTH__ADMIN_TOKEN"] = self.token
        settings |= self._settings
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "TZ")}
        inherited["TOKIO_WORKER_THREADS"] = str(self._threads)
        return inherited | {f"RIVET__{name}": value for name, value in settings.items()}

    def _write_topology(self) -> Path:
        """Tell the engine its own addresses, which it takes from a file only."""
        assert self._ports is not None
        datacenter = {
            "datacenter_label": 1,
            "is_leader": True,
            "public_url": self.endpoint,
            "peer_url": f"http://127.0.0.1:{self._ports.peer}",
        }
        topology = {"datacenter_label": 1, "datacenters": {"default": datacenter}}
        path = self._data_dir / "engine.json"
        path.write_text(json.dumps({"topology": topology}))
        return path

    def _open_log(self) -> IO[bytes]:
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size > _MAX_LOG_BYTES:
                self._log_file.replace(self._log_file.with_name(self._log_file.name + ".1"))
        # It prints its settings at start, the token among them.
        return open(self._log_file, "ab", opener=_open_private)

    def _last_lines(self) -> str:
        return "\n".join(line[:400] for line in self._printed().splitlines()[-_LAST_LINES:])

    def _printed(self) -> str:
        """Return what the log got since the last start, also from an engine that was shutting down.

        Not the engine's settings, and not the token.
        """
        try:
            with self._log_file.open("rb") as log_file:
                log_file.seek(self._log_start)
                lines = log_file.read(_MAX_LOG_BYTES).decode(errors="replace").splitlines()
        except OSError as error:
            return str(error)
        text = "\n".join(line for line in lines if "loaded config" not in line)
        return text if self.token is None else text.replace(self.token, "…")


def find_engine(start: Path | None = None) -> Path:
    """Return the binary that npm has put into `node_modules` of `start` or a folder above.

    `start` is the working directory when None. Raises EngineError.
    """
    folder = (start or Path.cwd()).resolve()
    for place in (folder, *folder.parents):
        for package in sorted(place.glob("node_modules/@rivetkit/engine-cli-*")):
            if (package / "rivet-engine").is_file():
                return package / "rivet-engine"
    raise EngineError(
        f"no Rivet Engine above {folder}: install the npm package @rivetkit/engine-cli"
    )


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


async def _healthy(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).is_success
    except httpx.HTTPError:
        return False


def _free_ports(*wanted: int) -> list[int]:
    """Return these ports, for each 0 one that is free; raises EngineError for one that is not."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in wanted]
        for each, port in zip(sockets, wanted, strict=True):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                each.bind(("127.0.0.1", port))
            except OSError as error:
                raise EngineError(
                    f"port {port} is taken: stop what uses it or use another ({error})"
                ) from error
        return [each.getsockname()[1] for each in sockets]
