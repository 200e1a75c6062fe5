from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from growqr.models.offline import answer, offline_model
from growqr.models.offline_requests import Call, Say, understand

CODE = "Please write this\n\n```python hello.py\nprint('remember me')\n```\nrun: python hello.py"


@pytest.mark.parametrize(
    ("prompt", "tool", "arguments"),
    [
        (
            "Remember that I like green tea",
            "remember",
            {
                "path": "memory/i-like-green-tea.md",
                "content": "I like green tea",
                "reason": "You asked me to remember it.",
            },
        ),
        (
            "My goal is to run a marathon by 2027-05-01.",
            "set_goal",
            {"title": "run a marathon", "why": "You told me so.", "due": "2027-05-01"},
        ),
        ("What do you know about tea?", "recall", {"query": "tea"}),
        (
            "forget memory/i-like-green-tea.md",
            "forget",
            {"path": "memory/i-like-green-tea.md", "reason": "You asked me to forget it."},
        ),
        ("forget about the tea.", "recall", {"query": "the tea"}),
        ("list quests", "start_quest", {"key": ""}),
        ("please start the weekly review quest", "start_quest", {"key": "weekly-review"}),
        ("task status", "task_status", {"id": ""}),
        ("what is the status of my task tsk_01abc?", "task_status", {"id": "tsk_01abc"}),
        (
            "create a project called tea-timer: times tea",
            "create_project",
            {"name": "tea-timer", "description": "times tea"},
        ),
        (
            "open a pull request from fix/it in tea-timer: Fix the timer",
            "open_pull_request",
            {"repo": "tea-timer", "branch": "fix/it", "title": "Fix the timer"},
        ),
    ],
)
def test_known_forms_of_request_call_their_tool(
    prompt: str, tool: str, arguments: dict[str, Any]
) -> None:
    assert understand(prompt) == Call(tool, arguments)


@pytest.mark.parametrize(
    ("prompt", "agent"),
    [
        (CODE, "coding"),
        ("can you build a small web page", "coding"),
        ("create branch topic in tea-timer", "repo"),
        ("show me the commits of my repository", "repo"),
    ],
)
def test_work_is_delegated_with_the_users_own_words(prompt: str, agent: str) -> None:
    assert understand(prompt) == Call("delegate", {"agent": agent, "task": prompt})


def test_what_it_cannot_do_it_says_and_how_to_change_that() -> None:
    said = understand("What is the meaning of life?")
    assert isinstance(said, Say)
    assert "without a language model" in said.text
    assert "GROWQR_MODEL__PROVIDER" in said.text


def _after(prompt: str, tool: str, content: Any) -> list[ModelMessage]:
    return [
        ModelRequest(parts=[UserPromptPart(prompt)]),
        ModelResponse(parts=[ToolCallPart(tool, {}, tool_call_id="1")]),
        ModelRequest(parts=[ToolReturnPart(tool, content, tool_call_id="1")]),
    ]


def test_results_are_reported_with_path_and_commit() -> None:
    result = {"path": "memory/tea.md", "sha": "0123456789abcdef"}
    said = answer(_after("remember tea", "remember", result))
    assert said == Say("I wrote that down in `memory/tea.md` (commit `0123456789`).")


def test_a_refused_tool_is_reported_as_such() -> None:
    said = answer(_after("remember tea", "remember", "Error: the path is not valid"))
    assert said == Say("That did not work: the path is not valid")


def test_forgetting_by_words_needs_exactly_one_hit() -> None:
    one = {"hits": [{"path": "memory/tea.md", "snippet": "tea"}]}
    two = {"hits": [*one["hits"], {"path": "memory/teapot.md", "snippet": "pot"}]}
    assert answer(_after("forget tea", "recall", one)) == Call(
        "forget", {"path": "memory/tea.md", "reason": "You asked me to forget it."}, number=2
    )
    listed = answer(_after("forget tea", "recall", two))
    assert isinstance(listed, Say)
    assert "`memory/teapot.md`" in listed.text


def test_an_earlier_message_does_not_count() -> None:
    earlier = _after("remember tea", "remember", {"path": "memory/tea.md", "sha": None})
    said = answer([*earlier, ModelRequest(parts=[UserPromptPart("list quests")])])
    assert said == Call("start_quest", {"key": ""})


@pytest.mark.anyio
async def test_it_streams_in_pieces_and_says_what_it_is() -> None:
    agent = Agent(offline_model())
    async with agent.run_stream("hello") as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
    assert len(pieces) > 1
    assert "GROWQR_MODEL__PROVIDER" in "".join(pieces)
