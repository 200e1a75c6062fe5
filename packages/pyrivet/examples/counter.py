"""A counter that any RivetKit client can use: actions, an event, a coded error, a queue.

Needs a running engine, such as `python -m pyrivet`; reads RIVET_ENDPOINT, RIVET_NAMESPACE and
RIVET_POOL, and RIVET_TOKEN if the engine has an admin token.
"""

import asyncio
import os
import signal
import sys

from pydantic import BaseModel
from pyrivet import ActionError, Actor, Worker, action, queue


class Total(BaseModel):
    value: int = 0


class Counter(Actor):
    state: Total

    @action
    async def increment(self, by: int = 1) -> int:
        self.state.value += by
        await self.broadcast("changed", self.state.value)
        return self.state.value

    @action
    async def get(self) -> int:
        return self.state.value

    @action
    async def fail(self) -> None:
        raise ActionError("out_of_order", "this counter fails on request", {"value": 7})

    @queue("adds")
    async def add(self, by: int) -> int:
        return await self.increment(by)


async def main() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    worker = Worker(
        os.environ.get("RIVET_ENDPOINT", "http://127.0.0.1:6420"),
        {"counter": Counter},
        namespace=os.environ.get("RIVET_NAMESPACE", "default"),
        pool=os.environ.get("RIVET_POOL", "default"),
        token=os.environ.get("RIVET_TOKEN"),
    )
    async with worker:
        sys.stdout.write("serving the actor counter\n")
        sys.stdout.flush()
        ended = asyncio.create_task(worker.wait())
        asked = asyncio.create_task(stopped.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()  # says why the engine does not want this worker


if __name__ == "__main__":
    asyncio.run(main())
