"""Worker processes of which tests kill, pause and drain some.

As a program: `python fleet.py ENDPOINT POOL TOKEN`. Prints a line once it is connected; SIGTERM
makes it leave in good order.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pyrivet import Actor, ActorOptions, Worker, action


class Tally(Actor):
    """Notes what it was told, and which process and generation noted it."""

    async def on_create(self) -> None:
        await self.db.script(
            "CREATE TABLE note (text TEXT, generation INT); CREATE TABLE diary (path TEXT)"
        )

    async def on_start(self) -> None:
        for row in await self.db.query("SELECT path FROM diary"):
            self.spawn(self._write(Path(row["path"])))

    @action
    async def note(self, text: str) -> None:
        await self.db.execute("INSERT INTO note VALUES (?, ?)", text, self.generation)

    @action
    async def note_and_hang(self, text: str, sign: str) -> None:
        """Note something, show that by a file, and never return."""
        await self.note(text)
        Path(sign).touch()
        await asyncio.Event().wait()

    @action
    async def notes(self) -> list[str]:
        return [row["text"] for row in await self.db.query("SELECT text FROM note")]

    @action
    async def generations(self) -> list[int]:
        """Return which generation made each note, in the order the database took them."""
        rows = await self.db.query("SELECT generation FROM note ORDER BY rowid")
        return [row["generation"] for row in rows]

    @action
    async def place(self) -> tuple[int, int]:
        """Return the process and the generation."""
        return os.getpid(), self.generation

    @action
    async def keep_diary(self, path: str) -> None:
        """Act on the world outside without end, in this and each later generation."""
        await self.db.execute("INSERT INTO diary VALUES (?)", path)
        self.spawn(self._write(Path(path)))

    async def _write(self, path: Path) -> None:
        with path.open("a", buffering=1) as diary:
            while True:
                await self.note("diary")
                diary.write(f"{self.generation}\n")
                await asyncio.sleep(0.005)


class Napping(Tally):
    """May sleep while clients are connected."""

    options = ActorOptions(hibernate=True)


class Member:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def drain(self) -> int:
        """Ask it to leave in good order; returns its exit code."""
        self._process.terminate()
        return await self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Fleet:
    """Starts worker processes of one pool."""

    def __init__(self, endpoint: str, pool: str, token: str | None) -> None:
        self._given = [endpoint, pool, token or ""]
        self._members: list[Member] = []

    async def add(self) -> Member:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, *self._given), stdout=asyncio.subprocess.PIPE
        )
        member = Member(process)
        self._members.append(member)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"connected\n"
        return member

    async def end(self) -> None:
        await asyncio.gather(*(member.kill() for member in self._members))


@asynccontextmanager
async def fleet_of(endpoint: str, pool: str, token: str | None) -> AsyncIterator[Fleet]:
    """Return a fleet without members; kills those that are left at the end."""
    fleet = Fleet(endpoint, pool, token)
    try:
        yield fleet
    finally:
        await fleet.end()


async def main(endpoint: str, pool: str, token: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with Worker(endpoint, {"tally": Tally, "napping": Napping}, pool=pool, token=token):
        print("connected", flush=True)  # noqa: T201 - the test waits for it
        await told.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
