"""Events of an actor, as a bounded queue."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyrivet.errors import EventsLost

if TYPE_CHECKING:
    from pyrivet._link import Link

_CONNECT_SECONDS = 60.0


class Subscription(AsyncIterator[list[Any]]):
    """An iterator over the arguments of an event; see `ActorHandle.subscribe`."""

    def __init__(self, link: Callable[[], "Link"], event: str, max_queued: int) -> None:
        self.event = event
        self._find_link = link
        self._link: Link | None = None
        self._max_queued = max_queued
        self._queue: deque[list[Any] | Exception] = deque()
        self._filled = asyncio.Event()
        self._failed: Exception | None = None

    async def __aenter__(self) -> "Subscription":
        """Subscribe; raises Unreachable, ActionError or ActorNotFound."""
        self._link = self._find_link()
        await self._link.subscribe(self, _CONNECT_SECONDS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._link is not None
        await self._link.unsubscribe(self)

    async def __anext__(self) -> list[Any]:
        while not self._queue:
            if self._failed is not None:
                raise self._failed
            self._filled.clear()
            await self._filled.wait()
        item = self._queue.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    # What follows is for this package only.

    def deliver(self, args: list[Any]) -> None:
        if len(self._queue) >= self._max_queued:
            self._queue.clear()
            self.report(EventsLost("events came faster than they were read"))
        else:
            self._queue.append(args)
            self._filled.set()

    def report(self, error: Exception) -> None:
        """Raise an error where the events so far end; any but EventsLost is the end of it."""
        if not isinstance(error, EventsLost):
            self._failed = error
            self._filled.set()
        elif not (self._queue and isinstance(self._queue[-1], Exception)):
            self._queue.append(error)
            self._filled.set()
