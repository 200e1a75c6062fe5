"""Notices when nothing has happened for a while."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

# Who woke an actor reaches it a moment later, on a busy machine a long one. An actor that is not
# there any more is woken again, so one that sleeps at once would never be reached.
_WELCOME_SECONDS = 1.0

# The engine wakes an actor that has slept for less than this up to 5 s late, unless it is to be
# woken within a second: measured with alarms of 0.3 to 30 s. Less than that is no sleep worth a
# stop and a start.
_SHORT_SLEEP_SECONDS = 7.0
_DUE_SECONDS = 0.05  # what is due is about to begin


class Idleness:
    """Calls `fallen_asleep` once nobody has held it for `after`; None: never.

    Stays awake for what comes in a few seconds, by `next_ms` since the epoch.
    """

    def __init__(
        self,
        after: timedelta | None,
        fallen_asleep: Callable[[], None],
        next_ms: Callable[[], int | None],
    ) -> None:
        self._after = None if after is None else after.total_seconds()
        self._fallen_asleep = fallen_asleep
        self._next_ms = next_ms
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
        if self._since > time.monotonic() and self._timer is not None:
            self._timer.cancel()  # welcomed: from now on the idle time counts
            self._timer = None

    def release(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._rest()

    def start(self) -> None:
        """Begin to watch, and give the first holder time to come."""
        self._watching = True
        self._rest()
        if self._timer is not None and self._after is not None and self._after < _WELCOME_SECONDS:
            self._timer.cancel()
            self._since += _WELCOME_SECONDS - self._after
            self._look()

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
        next_ms = self._next_ms()
        if left <= 0 and next_ms is not None:
            soon = max(next_ms / 1000 - time.time(), _DUE_SECONDS)
            left = soon if soon < _SHORT_SLEEP_SECONDS else 0.0
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
        else:
            self._watching = False
            self._fallen_asleep()
