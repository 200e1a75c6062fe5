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
from typing import Literal, Self

READY = "GrowQR is ready at "


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
        self._printed: list[str] = []
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()

    @property
    def pid(self) -> int:
        """Id of its process; that of `growqr up` holds api and worker."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def start(self, seconds: float = 60) -> None:
        """Start and wait until it answers; raises PlatformFailed after `seconds`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GROWQR_")}
        given = {"GROWQR_DATA_DIR": str(self.data_dir), "GROWQR_PORT": "0"} | self.environment
        self.url = ""
        self._ready.clear()
        self._printed.clear()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "growqr.cli", self.command],
            env=inherited | given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(seconds) or not self.url:
            self.kill()
            raise PlatformFailed("\n".join(self._printed[-40:]))

    def stop(self, seconds: float = 30) -> None:
        """End it as Ctrl-C would and wait; raises PlatformFailed if it has to be killed."""
        self._end(signal.SIGINT, seconds)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL, 10)

    def output(self) -> str:
        """Return what it has printed since the last start."""
        return "\n".join(self._printed)

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
            raise PlatformFailed(f"did not stop in {seconds} s\n{self.output()}") from None
        finally:
            if self._reader is not None:
                self._reader.join(5)
            if process.stdout is not None:
                process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._printed.append(line.rstrip())
            if line.startswith(READY):
                self.url = line.removeprefix(READY).split()[0]
                self._ready.set()
        self._ready.set()  # ended: wake whoever waits, who then looks at the exit code
