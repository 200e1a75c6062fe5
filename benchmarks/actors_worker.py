"""The actors of `benchmarks/rivetkit/server.mjs` in Python, as a process.

`python actors_worker.py ENDPOINT TOKEN POOL`; prints "ready" once the engine knows it.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any

from pyrivet import Actor, ActorOptions, Worker, action


class Awake(Actor):
    """Never sleeps by itself."""

    options = ActorOptions(sleep_after=None)

    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE IF NOT EXISTS total AS SELECT 0 AS value")

    @action
    async def echo(self, value: Any) -> Any:
        return value

    @action
    async def increment(self, by: int) -> int:
        sql = "UPDATE total SET value = value + ? RETURNING value"
        value: int = (await self.db.query(sql, by))[0]["value"]
        return value

    @action
    async def publish(self, value: Any) -> None:
        await self.broadcast("news", value)


class Sleepy(Awake):
    """Sleeps when idle."""

    options = ActorOptions(sleep_after=timedelta(milliseconds=100))


async def main(endpoint: str, token: str, pool: str) -> None:
    actors = {"awake": Awake, "sleepy": Sleepy}
    async with Worker(endpoint, actors, pool=pool, token=token) as worker:
        print("ready", flush=True)
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
