"""RivetKit's own client and codec from npm, in Node processes."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import Stage

SCRIPTS = Path(__file__).parent / "js"
NODE = shutil.which("node")
needs_client = pytest.mark.skipif(
    NODE is None or not (SCRIPTS / "node_modules/rivetkit").exists(),
    reason="needs node, and `npm ci` in packages/pyrivet/tests/js",
)
WITHOUT_NATIVE_CBOR = {"CBOR_NATIVE_ACCELERATION_DISABLED": "true"}


async def start(script: Path, *args: str, **surroundings: str) -> asyncio.subprocess.Process:
    """Start a program that speaks over its standard input and output."""
    assert NODE is not None
    return await asyncio.create_subprocess_exec(
        *(NODE, str(script), *args),
        cwd=script.parent,
        env={**os.environ, **WITHOUT_NATIVE_CBOR, **surroundings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )


async def printed(script: Path, *args: str, **surroundings: str) -> list[str]:
    """Run a program to its end; returns the lines that are not the client's log."""
    process = await start(script, *args, **surroundings)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()[-3000:]
    return [line for line in output.decode().splitlines() if "level=" not in line]


class Connection:
    """A connection of the official client to one actor; see `connection.mjs`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.statuses: list[str] = []
        """Of the connection, in order."""
        self._process = process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[str, asyncio.Queue[list[Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def to(
        cls, stage: Stage, encoding: str, name: str, key: list[str], **wishes: Any
    ) -> AsyncIterator["Connection"]:
        """Connect to an actor; `wishes` are `params` and the names of `events`."""
        place = json.dumps({"name": name, "key": key, **wishes})
        where = (stage.endpoint, "default", stage.pool, encoding)
        process = await start(SCRIPTS / "connection.mjs", *where, place)
        connection = cls(process)
        try:
            yield connection
            assert process.stdin is not None
            process.stdin.close()
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await connection._reader

    async def call(self, action: str, *args: Any) -> Any:
        number = len(self._answers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([number, action, *args]).encode() + b"\n")
        return await answer

    async def event(self, name: str) -> list[Any]:
        """Return the arguments of the next event of that name."""
        return await self._events.setdefault(name, asyncio.Queue()).get()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if b"level=" in line:
                continue
            match json.loads(line):
                case {"status": str(status)}:
                    self.statuses.append(status)
                case {"event": str(name), "args": list(args)}:
                    self._events.setdefault(name, asyncio.Queue()).put_nowait(args)
                case {"call": int(number), "value": value}:
                    self._answers[number].set_result(value)
                case {"call": int(number), "error": str(code)}:
                    self._answers[number].set_exception(RuntimeError(code))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the program has ended"))
