"""When a repeating alarm is due next."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many milliseconds."""

    ms: int

    def next_ms(self, due_ms: int, now_ms: int) -> int | None:
        """Return the first time after now on the grid that `due_ms` is on."""
        missed = max(0, now_ms - due_ms) // self.ms
        return due_ms + (missed + 1) * self.ms


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times of a cron expression in a time zone."""

    expression: str
    zone: str

    def first(self, now: datetime) -> datetime:
        """Return the first time after now; raises ValueError for what is wrong in either field."""
        try:
            found = self._after(now)
        except CronSimError as error:
            raise ValueError(f"{self.expression!r} is no cron expression: {error}") from error
        except (OSError, ValueError, LookupError) as error:  # a folder, a path, no such zone
            raise ValueError(f"{self.zone!r} is no time zone") from error
        if found is None:
            raise ValueError(f"{self.expression!r}: no such time comes")
        return found

    def next_ms(self, due_ms: int, now_ms: int) -> int | None:
        """Return the first time after both; None if none comes within 50 years."""
        found = self._after(datetime.fromtimestamp(max(due_ms, now_ms) / 1000, UTC))
        return None if found is None else round(found.timestamp() * 1000)

    def _after(self, when: datetime) -> datetime | None:
        return next(CronSim(self.expression, when.astimezone(_zone(self.zone))), None)


Recurrence = Interval | Cron

_zone = lru_cache(maxsize=64)(ZoneInfo)
