"""The deterministic stand-in for a language model: enough to try the whole machine.

It knows a few forms of request by their words, calls the Grow Agent's tools for them and
reports what they returned. For anything else it says so. Each text ends with its label.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from growqr.models.offline_requests import Call, Say, understand
from growqr.models.offline_words import report
from growqr.models.provider import OFFLINE_MODEL

_CHUNK_CHARS = 60


def offline_model() -> FunctionModel:
    """Return the model; it holds no state."""
    return FunctionModel(stream_function=_stream, model_name=OFFLINE_MODEL)


async def _stream(
    messages: list[ModelMessage], _info: AgentInfo
) -> AsyncIterator[str | DeltaToolCalls]:
    step = answer(messages)
    if isinstance(step, Call):
        arguments = json.dumps(step.arguments, ensure_ascii=False)
        call_id = f"offline_{step.number}"
        yield {0: DeltaToolCall(step.tool, arguments, tool_call_id=call_id)}
        return
    for piece in _pieces(step.text):
        yield piece


def answer(messages: Sequence[ModelMessage]) -> Say | Call:
    """Return the next step for this history: a tool call, or the text that ends the turn."""
    prompt, results = _since_last_prompt(messages)
    if not results:
        return understand(prompt)
    return report(prompt, results)


def _since_last_prompt(messages: Sequence[ModelMessage]) -> tuple[str, list[tuple[str, Any]]]:
    """Return the last user text and the tools' results after it, as (tool, content)."""
    prompt = ""
    results: list[tuple[str, Any]] = []
    for message in messages:
        if not isinstance(message, ModelRequest):
            continue
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                prompt = part.content if isinstance(part.content, str) else ""
                results = []
            elif isinstance(part, ToolReturnPart):
                results.append((part.tool_name, part.content))
            elif isinstance(part, RetryPromptPart):
                results.append((part.tool_name or "", part.model_response()))
    return prompt, results


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _CHUNK_CHARS):
        yield text[start : start + _CHUNK_CHARS]
