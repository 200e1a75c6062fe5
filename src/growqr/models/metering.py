"""What model use costs: counted as answers pass, kept per person and day, held to limits."""

import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from growqr.events import now
from growqr.settings import ModelSettings

_BYTES_PER_TOKEN = 4


@dataclass
class Usage:
    """What one workspace used since its socket was first opened, as the provider counts."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class Meter:
    """Finds the token counts in an answer as it passes; they are totals, so the largest counts.

    An answer without counts is estimated from its length: to ask without being counted would
    be a way around every budget.
    """

    # an escaped quote before the name would mean that the model wrote it, not the provider
    _COUNT = re.compile(
        rb'(?<!\\)"(?:(prompt_tokens|input_tokens|promptTokenCount)'
        rb'|completion_tokens|output_tokens|candidatesTokenCount)"\s*:\s*(\d{1,9})(?=\D)'
    )
    _OVERLAP = 64

    def __init__(self, sent_bytes: int = 0) -> None:
        self._input = 0
        self._output = 0
        self._tail = b""
        self._sent_bytes = sent_bytes
        self._read_bytes = 0

    def read(self, chunk: bytes) -> None:
        self._read_bytes += len(chunk)
        text = self._tail + chunk
        for match in self._COUNT.finditer(text):
            if match[1]:
                self._input = max(self._input, int(match[2]))
            else:
                self._output = max(self._output, int(match[2]))
        self._tail = text[-self._OVERLAP :]

    @property
    def input_tokens(self) -> int:
        counted = self._input or self._output
        return self._input if counted else self._sent_bytes // _BYTES_PER_TOKEN

    @property
    def output_tokens(self) -> int:
        counted = self._input or self._output
        return self._output if counted else self._read_bytes // _BYTES_PER_TOKEN


class Ledger:
    """Tokens per person and day (UTC), in a small database of its own; outlives the process."""

    def __init__(self, file: Path | None = None, clock: Callable[[], datetime] = now) -> None:
        """Open or make the file; None: in memory."""
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        # each statement is a transaction; a power cut may cost the last ones, no more
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE IF NOT EXISTS model_usage (user_id TEXT, day TEXT, requests INTEGER,"
            " input_tokens INTEGER, output_tokens INTEGER, PRIMARY KEY (user_id, day))"
        )

    def add(self, user_id: str, input_tokens: int, output_tokens: int) -> None:
        """Count one answered request."""
        self._db.execute(
            "INSERT INTO model_usage VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET"
            " requests = requests + 1, input_tokens = input_tokens + excluded.input_tokens,"
            " output_tokens = output_tokens + excluded.output_tokens",
            (user_id, self._day(), input_tokens, output_tokens),
        )

    def today(self, user_id: str) -> Usage:
        """Return what a person used since midnight UTC."""
        found = self._db.execute(
            "SELECT requests, input_tokens, output_tokens FROM model_usage"
            " WHERE user_id = ? AND day = ?",
            (user_id, self._day()),
        ).fetchone()
        return Usage(*found) if found else Usage()

    def close(self) -> None:
        self._db.close()

    def _day(self) -> str:
        return self._clock().date().isoformat()


class Rate:
    """So many requests a minute: a bucket that fills again steadily."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = self._left = float(per_minute)
        self._clock = clock
        self._at = clock()

    def take(self) -> float:
        """Take one; returns 0, or the seconds until there is one."""
        at = self._clock()
        self._left = min(self._most, self._left + (at - self._at) * self._per_second)
        self._at = at
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0


class Account:
    """What one workspace may use: its task's share, and its person's for the day."""

    def __init__(self, user_id: str, settings: ModelSettings, ledger: Ledger) -> None:
        self.user_id = user_id
        self.usage = Usage()
        self._settings = settings
        self._ledger = ledger
        self._task_began = 0

    def begin_task(self, used: int) -> None:
        """Begin a task, or go on with one that used so many tokens before a restart."""
        self._task_began = self.usage.tokens - used

    @property
    def task_tokens(self) -> int:
        return self.usage.tokens - self._task_began

    def spent(self) -> str | None:
        """Return why nothing is left to use; None: there is."""
        most = self._settings.tokens_per_task
        if most and self.task_tokens >= most:
            return f"This task has used its budget of {most} tokens."
        most = self._settings.tokens_per_day
        if most and self._ledger.today(self.user_id).tokens >= most:
            return f"Today's budget of {most} tokens is used up. It begins again at 00:00 UTC."
        return None

    def add(self, meter: Meter) -> None:
        self.usage.input_tokens += meter.input_tokens
        self.usage.output_tokens += meter.output_tokens
        self._ledger.add(self.user_id, meter.input_tokens, meter.output_tokens)
