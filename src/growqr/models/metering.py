"""What model use costs: counted as answers pass, and held to limits."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from growqr.billing.budget import TokenBudget

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
        rb'(?<!\\)"(prompt_tokens|input_tokens|cache_read_input_tokens|cache_creation_input_tokens'
        rb"|promptTokenCount|toolUsePromptTokenCount|completion_tokens|output_tokens"
        rb'|candidatesTokenCount|thoughtsTokenCount)"\s*:\s*(\d{1,9})(?=\D)'
    )
    _OVERLAP = 64

    def __init__(self, sent_bytes: int = 0) -> None:
        self._counts: Counter[bytes] = Counter()
        self._tail = b""
        self._sent_bytes = sent_bytes
        self._read_bytes = 0

    def read(self, chunk: bytes) -> None:
        self._read_bytes += len(chunk)
        text = self._tail + chunk
        for name, count in self._COUNT.findall(text):
            self._counts[name] = max(self._counts[name], int(count))
        self._tail = text[-self._OVERLAP :]

    @property
    def input_tokens(self) -> int:
        if not any(self._counts.values()):
            return self._sent_bytes // _BYTES_PER_TOKEN
        counts = self._counts
        return max(
            counts[b"prompt_tokens"],
            # Anthropic counts what comes from its cache, or goes there, apart
            counts[b"input_tokens"]
            + counts[b"cache_read_input_tokens"]
            + counts[b"cache_creation_input_tokens"],
            counts[b"promptTokenCount"] + counts[b"toolUsePromptTokenCount"],
        )

    @property
    def output_tokens(self) -> int:
        if not any(self._counts.values()):
            return self._read_bytes // _BYTES_PER_TOKEN
        counts = self._counts
        return max(
            counts[b"completion_tokens"],
            counts[b"output_tokens"],
            counts[b"candidatesTokenCount"] + counts[b"thoughtsTokenCount"],
        )


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

    def __init__(self, user_id: str, tokens_per_task: int, budget: TokenBudget | None) -> None:
        """`tokens_per_task` of 0 is no limit; without a budget, the day has none either."""
        self.user_id = user_id
        self.usage = Usage()
        self._tokens_per_task = tokens_per_task
        self._budget = budget
        self._task_began = 0
        self._adding: set[asyncio.Task[None]] = set()

    def begin_task(self, used: int) -> None:
        """Begin a task, or go on with one that used so many tokens before a restart."""
        self._task_began = self.usage.tokens - used

    @property
    def task_tokens(self) -> int:
        return self.usage.tokens - self._task_began

    async def spent(self) -> str | None:
        """Return why nothing is left to use; None: there is."""
        most = self._tokens_per_task
        if most and self.task_tokens >= most:
            return f"This task has used its budget of {most} tokens."
        if self._budget is None:
            return None
        await self.settled()
        return await self._budget.spent(self.user_id)

    def add(self, meter: Meter) -> None:
        """Count an answer; the person's count follows, before anything else is allowed here."""
        self.usage.input_tokens += meter.input_tokens
        self.usage.output_tokens += meter.output_tokens
        if self._budget is not None:
            tokens = meter.input_tokens + meter.output_tokens
            adding = asyncio.create_task(self._budget.add(self.user_id, tokens))
            self._adding.add(adding)
            adding.add_done_callback(self._adding.discard)

    async def settled(self) -> None:
        """Wait until everything is counted."""
        if self._adding:
            await asyncio.wait(self._adding)
