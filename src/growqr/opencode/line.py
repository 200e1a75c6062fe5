"""The line in which workspaces wait for one of the few places to run."""

import asyncio
from collections.abc import Callable

Evict = Callable[[str], bool]
"""Gives the place up soon, for the reason given; False: it is in use after all."""


class Line:
    """Places go out in the order of asking; an idle holder is asked to leave when all are taken."""

    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)
        self._waiting = 0
        self._idle: dict[object, Evict] = {}

    async def take(self) -> None:
        """Wait for a place; give it back with `give`."""
        self._waiting += 1
        try:
            if self._free.locked():
                self._ask_one_to_leave()
            await self._free.acquire()
        finally:
            self._waiting -= 1

    def give(self) -> None:
        self._free.release()

    def idle(self, holder: object, evict: Evict) -> None:
        """Say that `holder` could give its place up if somebody waits."""
        self._idle[holder] = evict
        if self._waiting and self._free.locked():
            self._ask_one_to_leave()

    def in_use(self, holder: object) -> None:
        """Say that `holder` needs its place, or has none any more."""
        self._idle.pop(holder, None)

    def _ask_one_to_leave(self) -> None:
        while self._idle:
            longest = next(iter(self._idle))  # the one that was idle first
            if self._idle.pop(longest)("another task needed its place"):
                return
