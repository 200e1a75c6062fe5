"""Notices when nothing has happened for a while."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta


class Idleness:
    """Calls `fallen_asleep` once nobody has held it for `after`; None: never."""

    def __init__(self, after: timedelta | None, fallen_asleep: Callable[[], None]) -> None:
        self._after = None if after is None else after.total_seconds()
        self._fallen_asleep = fallen_asleep
        self._holds = 0
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._watching = False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep it awake while inside."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def acquire(self) -> None:
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._rest()

    def start(self) -> None:
        """Begin to watch."""
        self._watching = True
        self._rest()

    def stop(self) -> None:
        self._watching = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        # A timer that runs is left alone: moving it for each action would cost more than a look.
        self._since = time.monotonic()
        if self._timer is None:
            self._look()

    def _look(self) -> None:
        self._timer = None
        if self._after is None or not self._watching or self._holds:
            return
        left = self._since + self._after - time.monotonic()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
        else:
            self._watching = False
            self._fallen_asleep()
