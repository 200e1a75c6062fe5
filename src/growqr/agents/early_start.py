"""Starting the coding agent's server while the model still writes the task for it.

The sign is the model's own call of `delegate` as it arrives: its first argument names the agent
and its second is the whole task, which takes a model seconds to write. A start takes about one.
Nothing is started for a message that only looks like work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from pydantic_ai.messages import (
    AgentStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    ToolCallPart,
    ToolCallPartDelta,
)

_CODING = re.compile(r'(?<!\\)"agent"\s*:\s*"coding"')


class EarlyStart:
    """Watches one answer of the model; calls `start` once, as soon as it delegates coding."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._calls: dict[int, str] = {}
        """What has arrived of the arguments of each `delegate`."""
        self._started = False

    def see(self, event: AgentStreamEvent) -> None:
        if isinstance(event, PartStartEvent) and isinstance(event.part, ToolCallPart):
            if event.part.tool_name == "delegate":
                self._add(event.index, event.part.args)
        elif (
            isinstance(event, PartDeltaEvent)
            and isinstance(event.delta, ToolCallPartDelta)
            and event.index in self._calls
        ):
            self._add(event.index, event.delta.args_delta)

    def _add(self, index: int, arguments: object) -> None:
        text = (
            arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        )
        self._calls[index] = self._calls.get(index, "") + text
        if not self._started and _CODING.search(self._calls[index]):
            self._started = True
            self._start()
