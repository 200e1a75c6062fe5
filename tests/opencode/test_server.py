"""How a server's end is noticed."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from growqr.opencode import server as server_module
from growqr.opencode.client import OpenCodeClient
from growqr.opencode.logs import WorkspaceLog
from growqr.opencode.server import Server

pytestmark = pytest.mark.anyio


class Ended:
    """A sandbox that has ended, while what passes its output on has not noticed."""

    pid = 0
    notes: Sequence[str] = ()

    def __init__(self, folder: Path, code: int, *, out_of_memory: bool | None) -> None:
        self.control = folder / "control.sock"
        self.output = self
        self._code = code
        self._words = [b"last ", b"words\n"]
        self._memory = out_of_memory

    async def read(self, most: int, /) -> bytes:
        if self._words:
            return self._words.pop(0)
        return await asyncio.Event().wait() and b""

    async def memory_bytes(self) -> int | None:
        return None

    async def wait(self) -> int:
        return self._code

    async def out_of_memory(self) -> bool | None:
        return self._memory

    async def kill(self) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "out_of_memory", "reason"),
    [
        (7, None, "OpenCode ended (exit code 7). It said: last words."),
        (-9, False, "OpenCode ended (signal 9)."),
        (137, True, "OpenCode was killed: the workspace's memory ran out."),
        (
            137,
            None,
            "OpenCode was killed, perhaps because its memory ran out. It said: last words.",
        ),
    ],
)
async def test_an_end_is_told_even_if_the_output_stays_open(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    out_of_memory: bool | None,
    reason: str,
) -> None:
    monkeypatch.setattr(server_module, "_LAST_WORDS_SECONDS", 0.05)
    running = Ended(tmp_path, code, out_of_memory=out_of_memory)
    log = WorkspaceLog(tmp_path / "w.log")
    server = Server(running, OpenCodeClient(running.control, "password"), log)
    await server.ended.wait()
    assert server.reason == reason
    assert [line.text for line in log.after(0)] == ["last words"]
    await server.stop()
    log.close()
