"""A platform for tests and benchmarks: `growqr up`, or a part of it, in a process of its own.

Programs that build on GrowQR can use it the same way as our own tests:

    with Platform(tmp_path) as platform:
        httpx.get(f"{platform.url}/healthz")
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

READY = "GrowQR is ready at "

# Above the sum of the platform's own deadlines, so that it is the platform that says what was late:
# the engine may take 60 s to start and a worker 30 s to connect; at its end a worker has 20 s, the
# engine 9, and requests and sandboxes a few each.
START_SECONDS = 120.0
STOP_SECONDS = 60.0


class PlatformFailed(Exception):
    """The platform ended, or did not get ready in time; the text holds what it printed."""


class Platform:
    """`growqr up` on a free loopback port, with its data below `folder`.

    With the `command` `api` or `worker` it is that part alone, and needs an engine's address.
    `environment` adds settings, such as `{"GROWQR_MODEL__PROVIDER": "openai-compatible"}`.
    Settings of the calling process do not reach it. The same folder may be started again
    after `stop` or `kill`.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        command: Literal["up", "api", "worker"] = "up",
    ) -> None:
        self.folder = folder
        self.command = command
        self.url = ""
        self.environment = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None
        self._output: _Output | None = None

    @property
    def pid(self) -> int:
        """Id of its process; that of `growqr up` holds api and worker."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start and wait until it answers; raises PlatformFailed after `seconds`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GROWQR_")}
        given = {"GROWQR_DATA_DIR": str(self.data_dir), "GROWQR_PORT": "0"} | self.environment
        self.url = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "growqr.cli", self.command],
            env=inherited | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._output = _Output(self._process.stdout)
        try:
            self.url = self._output.address(seconds)
        except TimeoutError:
            self.kill()
            raise PlatformFailed(f"not ready in {seconds:g} s\n{self.output()}") from None
        if not self.url:
            self.kill()
            raise PlatformFailed(f"ended with {self._process.returncode}\n{self.output()}")

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it as Ctrl-C would and wait; raises PlatformFailed if it has to be killed."""
        self._end(signal.SIGINT, seconds)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL, 10)

    def output(self) -> str:
        """Return what it has printed since the last start."""
        return "" if self._output is None else "\n".join(self._output.lines)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def _end(self, with_signal: signal.Signals, seconds: float) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(with_signal)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise PlatformFailed(f"did not stop in {seconds:g} s\n{self.output()}") from None
        finally:
            if self._output is not None:
                self._output.end()


class _Output:
    """What one run of the platform prints, and the address that it says it is ready at."""

    def __init__(self, stream: IO[str]) -> None:
        self.lines: list[str] = []
        self._stream = stream
        self._address = ""
        self._known = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def address(self, seconds: float) -> str:
        """Wait for the address, which is empty if it ends before; raises TimeoutError."""
        if not self._known.wait(seconds):
            raise TimeoutError
        return self._address

    def end(self) -> None:
        """Read the rest. What another process holds open is left to it: closing would wait."""
        self._reader.join(5)
        if not self._reader.is_alive():
            self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            self.lines.append(line.rstrip())
            if line.startswith(READY):
                self._address = line.removeprefix(READY).split()[0]
                self._known.set()
        self._known.set()  # it ended: wake whoever waits
