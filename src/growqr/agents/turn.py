"""One user message on its way through the model and its tools, and what the journal holds of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from growqr.agents import journal
from growqr.agents.eventlog import Change
from growqr.events import ChannelMessage

if TYPE_CHECKING:
    from growqr.agents.grow import GrowAgent
    from growqr.agents.turn_memory import TurnMemory

HISTORY_MESSAGES = 30
"""Earlier messages that the model sees."""


@dataclass
class Turn:
    """A turn in progress; tools reach it as `ctx.deps`."""

    grow: GrowAgent
    message: ChannelMessage
    instructions: str
    saved: dict[str, Any]
    """What the journal held when the turn started."""
    memory: TurnMemory
    step: int = 0
    tokens: int = 0
    """Model tokens used since the turn (re)started."""
    task_ids: list[str] = field(default_factory=list)
    with_result: list[Callable[[Change], object]] = field(default_factory=list)
    """What else is written in the transaction that records the running tool's result."""

    def operation(self, tool_call_id: str | None) -> str:
        """Return the id of one tool call's effect: the same after a crash."""
        return f"{self.message.id}:{self.step}:{tool_call_id}"

    async def record(self, key: str, value: Any) -> None:
        """Write a step or a result; durable when this returns."""
        extras, self.with_result = self.with_result, []
        async with self.grow.event_log.change() as change:
            journal.put(change, self.message.id, key, value)
            for extra in extras:
                extra(change)


def recorded_results(saved: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the journal holds of tools that have run, by step.

    The model's library runs only the last step's tools again; those of earlier steps are part
    of the messages by then.
    """
    keys = [key for key in saved if key.startswith("result:")]
    return [saved[key] for key in sorted(keys, key=lambda key: int(key.split(":")[1]))]
