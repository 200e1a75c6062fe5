from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.exceptions import (
    ModelAuthenticationError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelUnavailableError,
)
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.function import AgentInfo

from growqr.agents.turn import HISTORY_MESSAGES
from growqr.agents.turns import HISTORY_CHARS, history_of
from growqr.events import ChannelMessage
from growqr.settings import ModelSettings, Settings
from tests.agents.scripts import Step, scripted
from tests.agents.world import world


def _failed(status: int) -> ModelHTTPError:
    kinds: dict[int, Any] = {
        503: ModelUnavailableError,
        429: ModelRateLimitError,
        401: ModelAuthenticationError,
    }
    return ModelHTTPError.for_category(kinds[status], status_code=status, model_name="scripted")


def say(text: str, seq: int, role: Any = "user") -> ChannelMessage:
    return ChannelMessage(id=f"msg_{seq}", seq=seq, role=role, author="x", text=text)


def test_history_is_bounded_and_begins_with_the_user() -> None:
    many = [say("hi", n, "user" if n % 2 else "agent") for n in range(100)]
    history = history_of(many)
    assert len(history) <= HISTORY_MESSAGES
    assert isinstance(history[0], ModelRequest)
    long = [say("x" * HISTORY_CHARS, 1), say("welcome", 2, "agent"), say("hi", 3)]
    assert len(history_of(long)) == 1
    assert history_of([say("welcome", 1, "agent")]) == []


@pytest.mark.anyio
@pytest.mark.live
async def test_tools_run_in_order_and_their_effects_are_told(tmp_path: Path, engine: str) -> None:
    def script(done: list[Any], info: AgentInfo) -> Step:
        assert {tool.name for tool in info.function_tools} == {
            "remember",
            "recall",
            "forget",
            "set_goal",
            "update_goal",
            "delegate",
            "task_status",
            "start_quest",
            "create_project",
            "open_pull_request",
        }
        if not done:
            return {
                "remember": {"path": "tea", "content": "green", "reason": "likes it"},
                "set_goal": {"title": "Drink less", "why": "health", "due": None},
            }
        if len(done) == 2:
            return {"delegate": {"agent": "coding", "task": "build a tea timer"}}
        return f"Task {done[2]['task_id']}, note {done[0]['path']}"

    async with world(tmp_path, engine, model=scripted(script)) as home:
        message_id = await home.post("do all that")
        reply = await home.reply_to(message_id)
        (task_id,) = reply["metadata"]["task_ids"]
        assert reply["text"] == f"Task {task_id}, note memory/tea.md"
        assert reply["metadata"]["model"] == "scripted"
        assert reply["metadata"]["offline"] is False
        await home.task_event("task.completed", task_id)
        told = [e["data"]["paths"] for e in await home.events() if e["type"] == "memory.committed"]
        (paths,) = [paths for paths in told if "memory/tea.md" in paths]
        assert [path.split("/")[0] for path in paths] == ["goals", "memory"], "one commit"
        created = await home.task_event("task.created", task_id)
        assert created["data"]["message_id"] == message_id


@pytest.mark.anyio
@pytest.mark.live
async def test_refusals_of_tools_go_to_the_model(tmp_path: Path, engine: str) -> None:
    def script(done: list[Any], _info: AgentInfo) -> Step:
        if not done:
            return {
                "remember": {"path": "../../etc/passwd", "content": "x", "reason": "x"},
                "task_status": {"id": "tsk_nobody"},
                "start_quest": {"key": "no-such"},
                "open_pull_request": {"repo": "none", "branch": "b", "title": "t"},
            }
        return " | ".join(done)

    async with world(tmp_path, engine, model=scripted(script)) as home:
        reply = await home.reply_to(await home.post("try"))
        said = reply["text"].split(" | ")
        assert len(said) == 4
        assert all(text.startswith("Error: ") for text in said)
        assert "weekly-review" in said[2]
        assert len(await home.services.forge.commits(home.repo)) == 1


@pytest.mark.anyio
@pytest.mark.live
async def test_a_model_that_fails_for_a_while_is_asked_again(tmp_path: Path, engine: str) -> None:
    failures = iter([503, 429])

    def script(_done: list[Any], _info: AgentInfo) -> Step:
        if status := next(failures, None):
            raise _failed(status)
        return "here I am"

    async with world(tmp_path, engine, model=scripted(script)) as home:
        message_id = await home.post("hello?")
        assert (await home.reply_to(message_id))["text"] == "here I am"
        assert len(await home.answers(message_id)) == 1


@pytest.mark.anyio
@pytest.mark.live
async def test_a_model_that_refuses_is_reported_with_what_to_do(
    tmp_path: Path, engine: str
) -> None:
    def script(_done: list[Any], _info: AgentInfo) -> Step:
        raise _failed(401)

    async with world(tmp_path, engine, model=scripted(script)) as home:
        reply = await home.reply_to(await home.post("hello?"))
        assert reply["role"] == "system"
        assert "GROWQR_MODEL__API_KEY" in reply["text"]
        assert reply["metadata"] == {"error": "model_refused"}


@pytest.mark.anyio
@pytest.mark.live
async def test_a_turn_without_end_is_stopped(tmp_path: Path, engine: str) -> None:
    settings = Settings(model=ModelSettings(max_turn_steps=3))
    model = scripted(lambda _done, _info: {"recall": {"query": "tea"}})
    async with world(tmp_path, engine, model=model, settings=settings) as home:
        reply = await home.reply_to(await home.post("loop"))
        assert "3 steps" in reply["text"]


@pytest.mark.anyio
@pytest.mark.live
async def test_the_reply_is_streamed_under_its_final_id(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine, model=scripted(lambda *_: "ab" * 300)) as home:
        async with home.agent("grow").subscribe("event") as arriving:
            message_id = await home.post("talk")
            pieces, ids, final = "", set(), {}
            async for (event,) in arriving:
                if event["type"] == "message.delta":
                    assert event["seq"] is None
                    pieces += event["data"]["text"]
                    ids.add(event["data"]["message_id"])
                elif event["data"].get("in_reply_to") == message_id:
                    final = event["data"]
                    break
        assert pieces
        assert ids == {final["message_id"]}
        assert final["text"].startswith(pieces)
