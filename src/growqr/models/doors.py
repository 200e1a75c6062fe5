"""Unix sockets that each have a small HTTP server behind them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Door:
    """One socket and the small server behind it."""

    def __init__(self, path: Path, handle: Callable[[Request], Awaitable[Response]]) -> None:
        self.path = path
        methods = ["GET", "POST"]
        app = Starlette(routes=[Route("/{path:path}", handle, methods=methods)])
        config = uvicorn.Config(
            app,
            uds=str(path),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._serving = asyncio.create_task(self._server.serve(), name="model-gateway")
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait([up, self._serving], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._serving.done():
            await self._serving

    async def close(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await asyncio.wait([self._serving])
        self.path.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to the program, not to its sockets

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()
