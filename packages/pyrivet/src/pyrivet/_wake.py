"""When the engine is to start an actor that is not running then."""

import time
from collections.abc import Callable

from pyrivet import _protocol as p

_RETRY_INTERRUPTED_MS = 1_000
_RETRY_START_MS = 30_000


class WakeTime:
    """Keeps the engine's one alarm for an actor at its next reason to run.

    While there is something to rescue the alarm is kept in the past. A running actor does not
    notice; one whose worker has died is started again at once.
    """

    def __init__(
        self, next_ms: Callable[[], int | None], emit: Callable[[p.ActorEvent], None]
    ) -> None:
        self._next_ms = next_ms
        self._emit = emit
        self._told_ms: int | None = None
        self._to_rescue = False
        self._active = False

    def begin(self) -> None:
        """Report from now on; before, the engine wants to hear that the actor runs."""
        self._active = True
        self.update()

    def need_rescue(self) -> None:
        """Have the actor started again at once if the worker dies."""
        if not self._to_rescue:
            self._to_rescue = True
            self.update()

    def settle(self, unfinished: bool) -> None:
        """Report for the time after this generation, which has or has not left something to do."""
        self._to_rescue = unfinished
        self.begin()

    def update(self) -> None:
        if not self._active:
            return
        wanted = self._next_ms()
        if self._to_rescue:
            wanted = min(wanted or 1 << 62, time.time_ns() // 1_000_000)
            if self._told_ms is not None and self._told_ms <= wanted:
                return
        if wanted != self._told_ms:
            self._told_ms = wanted
            self._emit(p.SetAlarm(wanted))

    def retry_start(self, interrupted: bool) -> None:
        """Have a start that failed repeated, if a write was interrupted or an alarm is due."""
        now_ms = time.time_ns() // 1_000_000
        next_ms = self._next_ms()
        if interrupted:
            self._emit(p.SetAlarm(now_ms + _RETRY_INTERRUPTED_MS))
        elif next_ms is not None:
            self._emit(p.SetAlarm(max(next_ms, now_ms + _RETRY_START_MS)))
