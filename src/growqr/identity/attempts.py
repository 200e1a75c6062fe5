"""A limit on how often something may be tried, kept in this process."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from growqr.errors import TooMany

_MAX_KEYS = 20_000


class TooManyAttempts(TooMany):
    """Tried too often; `retry_after` is in seconds."""

    code = "too_many_attempts"


class Attempts:
    """Allows `limit` attempts per key in any `seconds`.

    Each api process counts for itself. When more than 20,000 keys are in use, the ones idle
    longest are forgotten, so memory stays bounded.
    """

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise TooManyAttempts when the key has used up its attempts."""
        times = self._recent(key)
        if len(times) >= self._limit:
            wait = math.ceil(times[0] + self._seconds - self._clock())
            raise TooManyAttempts(
                f"Too many attempts. Try again in {wait} seconds.", retry_after=wait
            )

    def count(self, key: str) -> None:
        """Record one attempt."""
        times = self._recent(key)
        times.append(self._clock())
        self._times[key] = times
        self._times.move_to_end(key)
        if len(self._times) > _MAX_KEYS:
            self._times.popitem(last=False)

    def forget(self, key: str) -> None:
        """Start again from none, as after a success."""
        self._times.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        times = self._times.get(key, deque())
        horizon = self._clock() - self._seconds
        while times and times[0] <= horizon:
            times.popleft()
        return times
