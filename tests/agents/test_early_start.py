"""The coding agent's server starts while the Grow Agent's model still writes its task."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from growqr.agents.early_start import EarlyStart
from tests.support.household import household

pytestmark = pytest.mark.anyio

CODING = '{"agent": "coding", "task": "Build"}'


def starts(tool: str, *pieces: str | dict[str, Any]) -> int:
    """Return how often a call of a tool that arrives in pieces starts the server."""
    started: list[None] = []
    early = EarlyStart(lambda: started.append(None))
    early.see(PartStartEvent(index=0, part=TextPart("I hand this over.")))
    early.see(PartStartEvent(index=1, part=ToolCallPart(tool, pieces[0])))
    for piece in pieces[1:]:
        early.see(PartDeltaEvent(index=1, delta=ToolCallPartDelta(args_delta=piece)))
    return len(started)


@pytest.mark.parametrize(
    ("tool", "pieces", "expected"),
    [
        ("delegate", (CODING,), 1),
        ("delegate", tuple(CODING), 1),
        ("delegate", ("", '{"agent":"cod', 'ing","ta'), 1),
        ("delegate", ({"agent": "coding", "task": "Build"},), 1),
        ("delegate", (CODING.replace("coding", "repo"),), 0),
        ("delegate", (json.dumps({"agent": "repo", "task": CODING}),), 0),
        ("delegate", ('{"agent": "cod',), 0),
        ("remember", (CODING,), 0),
    ],
)
def test_only_a_call_that_names_the_coding_agent_starts_it(
    tool: str, pieces: tuple[str | dict[str, Any], ...], expected: int
) -> None:
    assert starts(tool, *pieces) == expected


@pytest.mark.live
async def test_the_server_is_ready_before_the_model_has_written_the_task(
    tmp_path: Path, engine: str
) -> None:
    go_on = asyncio.Event()

    async def write(
        messages: list[ModelMessage], _: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls]:
        if any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
            yield "Done."
            return
        if "hello" in str(messages[-1].parts):
            yield "Hello."
            return
        yield {0: DeltaToolCall("delegate", '{"agent": "coding", ', tool_call_id="c1")}
        await go_on.wait()
        yield {0: DeltaToolCall(None, '"task": "run: echo early"}')}

    async with household(tmp_path, engine, FunctionModel(stream_function=write)) as home:
        assert await home.ask("grow", "hello") == "Hello."
        assert (await home.call("coding", "workspace"))["status"] == "provisioned"
        message = await home.say("grow", "Build it")
        await home.event("coding", lambda e: e["data"].get("status") == "ready")
        assert not (await home.call("grow", "tasks", None, None, 10))["items"]
        go_on.set()
        assert await home.reply("grow", message) == "Done."
        done = await home.event("coding", lambda e: e["type"] == "task.completed")
        assert "`echo early`: exit code 0" in done["data"]["result"]["summary"]
        states = [
            e["data"]["status"] for e in await home.log("coding") if e["type"] == "workspace.status"
        ]
        assert states.count("ready") == 1
