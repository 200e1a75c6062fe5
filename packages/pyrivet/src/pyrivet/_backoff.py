"""How long to wait before trying again."""

import random


class Backoff:
    """Delays in seconds that double from `first` to `last`, with a quarter of jitter."""

    def __init__(self, first: float, last: float) -> None:
        self._first = first
        self._last = last
        self._next = first

    def delay(self) -> float:
        """Return the next delay and double the one after it."""
        delay = self._next
        self._next = min(self._last, delay * 2)
        return delay * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, hides nothing

    def reset(self) -> None:
        self._next = self._first
