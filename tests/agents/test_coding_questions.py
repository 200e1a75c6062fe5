"""Questions of the coding model with a real engine and OpenCode, and a scripted model."""

from pathlib import Path
from typing import Any

import pytest

from growqr.settings import ModelSettings, SandboxSettings
from tests.support.household import Household, household
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    call,
    last_user_text,
    serve,
    tool_names,
    tool_results,
)

pytestmark = [pytest.mark.anyio, pytest.mark.live]


def scripted(base_url: str) -> ModelSettings:
    return ModelSettings(provider="openai-compatible", name="scripted", base_url=base_url)


def asking(seconds: float = 900) -> SandboxSettings:
    return SandboxSettings(commands_ask=("touch *",), question_seconds=seconds)


def asks(request: Request) -> Answer:
    """Ask the user once, and then say what came of it."""
    if "question" not in tool_names(request):
        return Say("A title")
    if told := tool_results(request):
        return Say(f"You said: {told[-1]}")
    if "Before the interruption" in last_user_text(request):
        return Say(last_user_text(request))
    options = [{"label": label, "description": label} for label in ("Tabs", "Spaces")]
    asked = {"question": "Tabs or spaces?", "header": "Style", "options": options}
    return call("question", questions=[asked])


def touches(request: Request) -> Answer:
    """Run a command that needs permission, and then say what came of it."""
    if "bash" not in tool_names(request):
        return Say("A title")
    told = tool_results(request)
    return Say(f"Result: {told[-1]}") if told else call("bash", command="touch asked.txt")


async def waiting(home: Household, after: int = 0) -> dict[str, Any]:
    return await home.event("coding", lambda e: e["type"] == "task.waiting", after=after)


async def test_a_question_of_the_model_reaches_the_user(tmp_path: Path, engine: str) -> None:
    with serve(asks) as model:
        async with household(tmp_path, engine, model_settings=scripted(model.base_url)) as home:
            message = await home.say("coding", "Indent this")
            task = (await waiting(home))["data"]
            assert task["reason"] == "Tabs or spaces?"
            assert task["question"]["options"] == ["Tabs", "Spaces"]
            assert task["question"]["kind"] == "question"
            workspace = await home.call("coding", "workspace")
            assert workspace["reason"] == "waits for an answer: Tabs or spaces?"
            assert "I go on" in await home.ask("coding", "Spaces, always")
            assert "Spaces, always" in await home.reply("coding", message)


async def test_a_command_runs_when_the_user_allows_it_and_not_when_they_deny_it(
    tmp_path: Path, engine: str
) -> None:
    with serve(touches) as model:
        settings = scripted(model.base_url)
        async with household(tmp_path, engine, None, settings, sandbox=asking()) as home:
            refused = await home.say("coding", "Touch it")
            first = await waiting(home)
            assert first["data"]["question"]["options"] == ["Allow", "Deny"]
            assert "touch asked.txt" in first["data"]["reason"]
            await home.say("coding", "Deny")
            receipt = await home.reply("coding", refused)
            assert "The user answered: Deny" in receipt
            assert "- `touch asked.txt`: denied" in receipt
            assert receipt.startswith("**Careful:**")

            allowed = await home.say("coding", "Touch it again")
            await waiting(home, after=first["seq"])
            await home.say("coding", "Allow")
            assert "`touch asked.txt`: exit code 0" in await home.reply("coding", allowed)
            assert await home.read("agents/coding/asked.txt") == ""


@pytest.mark.parametrize("script", [asks, touches])
async def test_no_answer_in_time_is_a_no_and_the_work_goes_on(
    tmp_path: Path, engine: str, script: Any
) -> None:
    with serve(script) as model:
        settings = scripted(model.base_url)
        async with household(tmp_path, engine, None, settings, sandbox=asking(0.2)) as home:
            receipt = await home.ask("coding", "Work")
            assert "Nobody answered in time, so the answer is no." in receipt
            assert "No file changed" in receipt
            resumed = await home.event("coding", lambda e: e["type"] == "task.resumed")
            assert resumed["data"]["closed_question"]["outcome"] == "expired"


async def test_a_question_outlives_the_worker_and_its_answer_reaches_the_model(
    tmp_path: Path, engine: str
) -> None:
    with serve(asks) as model:
        async with household(tmp_path, engine, model_settings=scripted(model.base_url)) as home:
            message = await home.say("coding", "Indent this")
            task = (await waiting(home))["data"]
            await home.stop()
            await home.start()
            again = await home.call("coding", "task", task["id"])
            assert (again["status"], again["question"]) == ("waiting", task["question"])
            # nothing runs, and costs, while a person thinks
            assert (await home.call("coding", "workspace"))["status"] == "provisioned"
            answer = {"text": "Spaces", "answers": task["question"]["id"]}
            await home.call("coding", "post_message", answer)
            receipt = await home.reply("coding", message)
            assert "> Tabs or spaces?" in receipt
            assert "> The user answered: Spaces" in receipt


async def test_a_permission_given_after_a_restart_is_not_asked_for_again(
    tmp_path: Path, engine: str
) -> None:
    with serve(touches) as model:
        settings = scripted(model.base_url)
        async with household(tmp_path, engine, None, settings, sandbox=asking()) as home:
            message = await home.say("coding", "Touch it")
            await waiting(home)
            await home.stop()
            await home.start()
            await home.say("coding", "Allow")
            assert "`touch asked.txt`: exit code 0" in await home.reply("coding", message)
            types = [event["type"] for event in await home.log("coding")]
            assert types.count("task.waiting") == 1


async def test_a_deadline_holds_over_a_restart(tmp_path: Path, engine: str) -> None:
    with serve(touches) as model:
        settings = scripted(model.base_url)
        async with household(tmp_path, engine, None, settings, sandbox=asking(3)) as home:
            message = await home.say("coding", "Touch it")
            await waiting(home)
            await home.stop()
            await home.start()
            assert "the answer is no" in await home.reply("coding", message)
            tree = await home.forge.tree(home.repo, recursive=True)
            assert not [entry.path for entry in tree if entry.path.startswith("agents/")]
