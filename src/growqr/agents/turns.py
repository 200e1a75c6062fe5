"""A turn: one user message through the model and its tools, journaled step by step.

A step is a model response that calls tools. It is written before its tools run, and each
tool's result is written before the next tool runs. After a crash the turn starts from the last
written step; results that are there are read, not made again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent, RunContext
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
    UsageLimitExceeded,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import Model
from pydantic_ai.run import AgentRun
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset
from pydantic_ai.usage import UsageLimits
from pyrivet import ActionError

from growqr.agents.early_start import EarlyStart
from growqr.agents.tools import toolset
from growqr.agents.turn import HISTORY_MESSAGES, Turn, recorded_results
from growqr.errors import GrowError, Unavailable
from growqr.events import ChannelMessage

HISTORY_CHARS = 40_000
DELTA_SECONDS = 0.025
DELTA_CHARS = 200

_RETRYABLE = (
    ModelRateLimitError,
    ModelUnavailableError,
    ModelServerError,
    ModelConnectionError,
    ModelRequestTimeout,
)


class ModelUnavailable(Unavailable):
    """The language model did not answer; trying again later may work."""

    code = "model_unavailable"


class ModelRefused(GrowError):
    """The language model will not answer this, however often it is asked."""

    code = "model_refused"
    status = 502
    title = "The language model refused"


@dataclass
class JournaledToolset(WrapperToolset[Turn]):
    """Runs each tool call of a turn once. Refusals go to the model as text."""

    async def call_tool(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[Turn],
        tool: ToolsetTool[Turn],
    ) -> Any:
        turn = ctx.deps
        key = f"result:{turn.step}:{ctx.tool_call_id}"
        if key in turn.saved:
            return turn.saved[key]["value"]
        tasks_before, drafted_before = len(turn.task_ids), turn.memory.drafted
        turn.with_result.clear()
        try:
            value = await self.wrapped.call_tool(name, tool_args, ctx, tool)
        except GrowError as error:
            value = f"Error: {error.detail}"
        except ActionError as error:
            value = f"Error: {error.message or error.code}"
        recorded = {
            "value": value,
            "task_ids": turn.task_ids[tasks_before:],
            "drafted": turn.memory.since(drafted_before),
        }
        await turn.record(key, recorded)
        return value


def build_agent(model: Model, *, request_seconds: float) -> Agent[Turn, str]:
    """Return the agent that runs turns; it holds no state of any one turn."""
    agent = Agent(
        model,
        deps_type=Turn,
        output_type=str,
        toolsets=[JournaledToolset(toolset())],
        model_settings=ModelSettings(request_timeout=request_seconds),
        retries=2,
    )

    @agent.instructions
    def told(ctx: RunContext[Turn]) -> str:
        return ctx.deps.instructions

    return agent


async def run_turn(agent: Agent[Turn, str], turn: Turn, earlier: Sequence[ChannelMessage]) -> str:
    """Run the turn to its end and return the reply's text; `earlier` are the channel's messages.

    Raises:
        ModelUnavailable: the model did not answer; the turn can go on from its journal.
        ModelRefused: it never will; the text says why and what to do.
    """
    steps = _recorded_steps(turn.saved)
    turn.step = len(steps)
    turn.task_ids = [id_ for result in recorded_results(turn.saved) for id_ in result["task_ids"]]
    past = history_of(earlier) + [message for step in steps for message in step]
    settings = turn.grow.services.settings.model
    limits = UsageLimits(request_limit=max(1, settings.max_turn_steps - len(steps)))
    prompt = None if steps else turn.message.text
    try:
        async with agent.iter(prompt, message_history=past, deps=turn, usage_limits=limits) as run:
            try:
                await _drive(run, turn, len(past))
            finally:
                turn.tokens = run.usage.total_tokens
    except _RETRYABLE as error:
        raise ModelUnavailable(
            "The language model did not answer.", retry_after=error.retry_after
        ) from error
    except UsageLimitExceeded as error:
        raise ModelRefused(
            f"I stopped after {settings.max_turn_steps} steps without coming to an end. "
            "Please ask for a smaller part of it."
        ) from error
    except ModelAPIError as error:
        raise ModelRefused(_why(error)) from error
    except AgentRunError as error:
        raise ModelRefused(
            "The language model's answer could not be used. Please try other words."
        ) from error
    assert run.result is not None
    return run.result.output


async def _drive(run: AgentRun[Turn, str], turn: Turn, known: int) -> None:
    node = run.next_node
    while not Agent.is_end_node(node):
        if Agent.is_model_request_node(node):
            deltas = _Deltas(turn)
            early = EarlyStart(turn.grow.start_coding)
            async with node.stream(run.ctx) as events:
                async for event in events:
                    early.see(event)
                    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                        await deltas.add(event.part.content)
                    elif isinstance(event, PartDeltaEvent) and isinstance(
                        event.delta, TextPartDelta
                    ):
                        await deltas.add(event.delta.content_delta)
        elif Agent.is_call_tools_node(node) and node.model_response.tool_calls:
            messages = run.all_messages()
            if len(messages) > known:  # else this step was read from the journal
                turn.step += 1
                await turn.record(f"step:{turn.step}", _dump(messages[known:]))
                known = len(messages)
        node = await run.next(node)


def _dump(messages: Sequence[ModelMessage]) -> Any:
    return ModelMessagesTypeAdapter.dump_python(list(messages), mode="json")


def _recorded_steps(saved: dict[str, Any]) -> list[list[ModelMessage]]:
    steps: list[list[ModelMessage]] = []
    while (dumped := saved.get(f"step:{len(steps) + 1}")) is not None:
        steps.append(ModelMessagesTypeAdapter.validate_python(dumped))
    return steps


def history_of(messages: Sequence[ChannelMessage]) -> list[ModelMessage]:
    """Return what the model sees of earlier messages: the newest, within count and size.

    It begins with a user's message, as some providers demand.
    """
    kept: list[ChannelMessage] = []
    size = 0
    for message in reversed(messages[-HISTORY_MESSAGES:]):
        size += len(message.text)
        if size > HISTORY_CHARS:
            break
        kept.append(message)
    while kept and kept[-1].role != "user":
        kept.pop()
    return [_as_model_message(message) for message in reversed(kept)]


def _as_model_message(message: ChannelMessage) -> ModelMessage:
    if message.role == "user":
        part = UserPromptPart(message.text, timestamp=message.at)
        return ModelRequest(parts=[part], timestamp=message.at)
    return ModelResponse(parts=[TextPart(message.text)], timestamp=message.at)


class _Deltas:
    """Passes streamed text on in pieces large enough not to flood the engine."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._text = ""
        self._sent_at = 0.0

    async def add(self, text: str) -> None:
        self._text += text
        waited = time.monotonic() - self._sent_at
        if self._text and (waited >= DELTA_SECONDS or len(self._text) >= DELTA_CHARS):
            piece, self._text = self._text, ""
            self._sent_at = time.monotonic()
            grow = self._turn.grow
            await grow.event_log.delta(grow.reply_id(self._turn.message.id), piece)


def _why(error: ModelAPIError) -> str:
    kind = type(error).__name__
    if "Authentication" in kind:
        return (
            "The language model's provider refused our key. Whoever runs this server should "
            "check GROWQR_MODEL__API_KEY."
        )
    if "Quota" in kind:
        return "The account at the language model's provider has no quota left."
    if "NotFound" in kind:
        return (
            f"The provider knows no model `{error.model_name}`. Whoever runs this server should "
            "check GROWQR_MODEL__NAME and GROWQR_MODEL__BASE_URL."
        )
    if "ContextWindow" in kind:
        return "This conversation is too long for the language model. Please ask in fewer words."
    return "The language model's provider rejected the request."
