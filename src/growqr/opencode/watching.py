"""Tells several watchers what happens, without waiting for any of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from growqr.opencode.types import Missed, WorkspaceEvent

_KEPT = 1000


class Watchers:
    """A bounded queue for each watcher; a slow one loses the oldest events and is told."""

    def __init__(self) -> None:
        self._queues: set[_Queue] = set()

    def tell(self, event: WorkspaceEvent) -> None:
        for queue in self._queues:
            queue.put(event)

    @contextmanager
    def watching(self) -> Iterator[AsyncIterator[WorkspaceEvent]]:
        queue = _Queue()
        self._queues.add(queue)
        try:
            yield queue.events()
        finally:
            self._queues.discard(queue)


class _Queue:
    def __init__(self) -> None:
        self._events: deque[WorkspaceEvent] = deque()
        self._missed = 0
        self._some = asyncio.Event()

    def put(self, event: WorkspaceEvent) -> None:
        if len(self._events) == _KEPT:
            self._events.popleft()
            self._missed += 1
        self._events.append(event)
        self._some.set()

    async def events(self) -> AsyncIterator[WorkspaceEvent]:
        while True:
            await self._some.wait()
            if self._missed:
                missed, self._missed = self._missed, 0
                yield Missed(missed)
            yield self._events.popleft()
            if not self._events:
                self._some.clear()
