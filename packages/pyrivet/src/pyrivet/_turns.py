"""Who may use a database: statements side by side, a transaction alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pyrivet.errors import DatabaseError


class Turns:
    """Keeps statements out while a transaction has the database for itself."""

    def __init__(self) -> None:
        self._inside = 0
        self._empty = asyncio.Event()
        self._holder: asyncio.Task[Any] | None = None
        self._free = asyncio.Event()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Wait for the transaction that is open, if any, and keep the next one waiting."""
        await self._until_free()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for all statements under way, and keep others out."""
        await self._until_free()
        self._holder = asyncio.current_task()
        self._free.clear()
        try:
            while self._inside:
                self._empty.clear()
                await self._empty.wait()
            yield
        finally:
            self._holder = None
            self._free.set()

    async def _until_free(self) -> None:
        while self._holder is not None:
            if self._holder is asyncio.current_task():  # it would wait for itself
                raise DatabaseError("a transaction is open: run this in it, or after it")
            await self._free.wait()
