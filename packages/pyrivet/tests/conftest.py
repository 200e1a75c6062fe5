"""One engine for each file of tests; a worker, a client and a fresh key for each test.

Not one for all: actors that tests leave behind, and whose workers are gone, keep an engine trying
to start them, which took 40 % of a processor by the end of the suite.
"""

import os
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pyrivet import Actor, Client, Engine, Worker, find_engine


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Let fixtures and tests of a file share one event loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def engine_binary() -> Path:
    """Return `RIVET_ENGINE`, or the binary that npm has put into a folder above."""
    given = os.environ.get("RIVET_ENGINE")
    return Path(given) if given else find_engine(Path(__file__).parent)


@pytest.fixture(scope="module")
async def engine(
    engine_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    async with Engine(engine_binary, tmp_path_factory.mktemp("engine"), token="test") as engine:
        yield engine


@pytest.fixture
def key() -> list[str]:
    """Return a key that no other test uses."""
    return [uuid.uuid4().hex]


class Stage:
    """Runs workers and clients on one engine, in a pool of its own, until the test ends."""

    @classmethod
    @asynccontextmanager
    async def on(cls, engine: Engine) -> "AsyncIterator[Stage]":
        async with AsyncExitStack() as stack:
            yield cls(engine.endpoint, engine.token, stack)

    def __init__(self, endpoint: str, token: str | None, stack: AsyncExitStack) -> None:
        self.endpoint = endpoint
        self.token = token
        self.pool = f"pool-{uuid.uuid4().hex[:8]}"
        self._stack = stack

    async def work(self, **actors: Callable[[], Actor]) -> Worker:
        worker = Worker(self.endpoint, actors, pool=self.pool, token=self.token)
        return await self._stack.enter_async_context(worker)

    async def client(self, **options: Any) -> Client:
        client = Client(self.endpoint, pool=self.pool, token=self.token, **options)
        return await self._stack.enter_async_context(client)


@pytest.fixture
async def stage(engine: Engine) -> AsyncIterator[Stage]:
    async with Stage.on(engine) as stage:
        yield stage


def gateway_url(stage: Stage, name: str, key: list[str], path: str) -> str:
    """Return where an actor answers plain HTTP; it is made at the first request."""
    query = {
        "rvt-namespace": "default",
        "rvt-method": "getOrCreate",
        "rvt-pool": stage.pool,
        "rvt-key": ",".join(key),
    }
    return f"{stage.endpoint}/gateway/{name}{path}?{urlencode(query)}"
