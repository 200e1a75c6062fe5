"""A worker process for tests that kill it: `python crash_worker.py ENDPOINT POOL TOKEN [KEY]`.

Prints its envoy key once it is connected. KEY is that of a dead process to take over from.
"""

import asyncio
import sys

from pyrivet import Actor, Worker, action


class Ledger(Actor):
    """Counts what was committed, and which generation did background work."""

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE entry (text TEXT); CREATE TABLE todo (text TEXT)")

    async def on_start(self) -> None:
        for row in await self.db.query("SELECT text FROM todo"):
            self.spawn(self._finish(row["text"]))

    @action
    async def add(self, text: str) -> int:
        await self.db.execute("INSERT INTO entry VALUES (?)", text)
        return self.generation

    @action
    async def entries(self) -> list[str]:
        return [row["text"] for row in await self.db.query("SELECT text FROM entry")]

    @action
    async def begin(self, text: str) -> None:
        """Leave work that only a later generation finishes."""
        await self.db.execute("INSERT INTO todo VALUES (?)", text)
        self.spawn(asyncio.Event().wait())

    @action
    async def fill(self, first: int, last: int) -> None:
        """Write rows one by one in the background, then say so."""
        self.spawn(self._fill(first, last))

    @action
    async def hang(self) -> None:
        await asyncio.Event().wait()

    async def _fill(self, first: int, last: int) -> None:
        for number in range(first, last):
            await self.db.execute("INSERT INTO entry VALUES (?)", str(number))
        await self.db.execute("INSERT INTO entry VALUES (?)", f"full in {self.generation}")

    async def _finish(self, text: str) -> None:
        await self.db.batch(
            [
                ("DELETE FROM todo WHERE text = ?", [text]),
                ("INSERT INTO entry VALUES (?)", [f"{text} finished"]),
            ]
        )
        await self.broadcast("finished", text)


async def main(endpoint: str, pool: str, token: str, takeover: str | None = None) -> None:
    actors = {"ledger": Ledger}
    async with Worker(endpoint, actors, pool=pool, token=token, takeover=takeover) as worker:
        print(worker.envoy_key, flush=True)  # noqa: T201 - the test waits for it
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
