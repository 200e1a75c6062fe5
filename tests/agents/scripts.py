"""Models that follow a script."""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

Step = str | dict[str, dict[str, Any]]
Script = Callable[[list[Any], AgentInfo], Step | Awaitable[Step]]


def scripted(script: Script) -> FunctionModel:
    """Return a model that answers with text, or with tool calls `{name: arguments}`.

    The script gets the results of the turn's tools so far.
    """

    async def stream(
        messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls]:
        given = script(_results(messages), info)
        step = await given if inspect.isawaitable(given) else given
        if isinstance(step, str):
            for piece in (step[: len(step) // 2], step[len(step) // 2 :]):
                yield piece
            return
        # The same ids in every step, as some servers do.
        yield {
            index: DeltaToolCall(name, json.dumps(arguments), tool_call_id=f"call_{index}")
            for index, (name, arguments) in enumerate(step.items())
        }

    return FunctionModel(stream_function=stream, model_name="scripted")


def _results(messages: list[ModelMessage]) -> list[Any]:
    found: list[Any] = []
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else []:
            if isinstance(part, UserPromptPart):
                found = []
            elif isinstance(part, ToolReturnPart):
                found.append(part.content)
    return found
