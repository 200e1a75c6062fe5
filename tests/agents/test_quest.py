"""The quest agent on a real engine: whole quests, restarts, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from pyrivet import ActionError

from tests.support.household import Household, household

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def question(home: Household, after: int = 0) -> dict[str, Any]:
    """Return the next question of a quest."""
    return await home.event(
        "quest", lambda e: bool(e["data"].get("metadata", {}).get("question")), after
    )


async def finished(home: Household) -> dict[str, Any]:
    return await home.event("quest", lambda e: e["type"] in ("task.completed", "task.failed"))


async def test_the_weekly_review_from_start_to_end(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        wish = {"key": "weekly-review", "run_id": "run_1"}
        run = await home.call("quest", "start_quest", wish)
        assert (run["step"], len(run["steps"])) == (0, 6)
        asked = await question(home)
        assert "What went well" in asked["data"]["text"]
        assert (await home.call("quest", "start_quest", wish))["id"] == "run_1"
        with pytest.raises(ActionError, match="another quest"):
            await home.call("quest", "start_quest", {**wish, "key": "profile"})

        assert "hard" in await home.ask("quest", "I slept enough")
        assert "know now" in await home.ask("quest", "Mondays")
        assert "one thing" in await home.ask("quest", "Rest helps")
        assert "last question" in await home.ask("quest", "Run 10 km")
        event = await finished(home)
        assert event["data"]["status"] == "completed", event

        run = await home.call("quest", "run", "run_1")
        assert {step["status"] for step in run["steps"]} == {"completed"}
        assert [r["id"] for r in (await home.call("quest", "runs", None, 9))["items"]] == ["run_1"]
        day = next(e["at"] for e in await home.log("quest") if e["type"] == "quest.started")[:10]
        assert "Rest helps" in await home.read(f"memory/reviews/{day}.md")
        assert "> Mondays" in await home.read("quests/weekly-review/run_1.md")
        commits = await home.forge.commits(home.repo)
        assert len([c for c in commits if c.trailers.get("Kind") == "quest"]) == 4, (
            "what comes after the last answer is one commit"
        )
        goals = [c for c in commits if any(p.startswith("goals/") for p in c.paths)]
        assert len(goals) == 1
        types = [e["type"] for e in await home.log("quest")]
        assert types.count("quest.step") == 6
        assert types.count("quest.completed") == 1


async def test_a_restart_goes_on_at_the_step_at_hand(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        started = await home.say("quest", "start the profile quest")
        await question(home)
        assert "Set up your profile" in await home.reply("quest", started)
        await home.ask("quest", 'Ada "the first"')
        await home.stop()
        await home.start()

        assert "worked with" in await home.ask("quest", "I count: and sing")
        for answer in ("Bluntly", "Write a book", "To be read", "no hurry"):
            await home.ask("quest", answer)
        assert (await finished(home))["data"]["status"] == "completed"

        profile = await home.read("profile.md")
        assert profile.startswith('---\nname: "Ada \\"the first\\""\n')
        assert "I count: and sing" in profile
        log = await home.log("quest")
        steps = [e["data"]["finished"] for e in log if e["type"] == "quest.step"]
        assert len(steps) == len(set(steps)) == 9
        answered = [e["data"]["in_reply_to"] for e in log if e["type"] == "message.completed"]
        replies = [message for message in answered if message]
        assert len(replies) == len(set(replies)) == 7
        goal = next(p for e in log for p in e["data"].get("paths", ()) if p.startswith("goals/"))
        assert "Write a book" in await home.read(goal)


async def test_the_oldest_question_gets_the_answer_and_cancel_ends_a_run(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        assert "`first-cli-tool`" in await home.ask("quest", "What can you do?")
        assert "No quest is running" in await home.ask("quest", "cancel")
        seen = 0
        for key, run_id in (("profile", "run_1"), ("weekly-review", "run_2")):
            await home.call("quest", "start_quest", {"key": key, "run_id": run_id})
            seen = (await question(home, after=seen))["seq"]
        assert "Good to meet you, Ada" in await home.ask("quest", "Ada")
        assert "I cancelled" in await home.ask("quest", "cancel")
        run = await home.call("quest", "run", "run_1")
        assert (run["status"], run["step"]) == ("cancelled", 1)
        assert "status: cancelled" in await home.read("quests/profile/run_1.md")
        assert (await home.call("quest", "run", "run_2"))["status"] == "waiting"
        newest = await home.call("quest", "runs", None, 1)
        older = await home.call("quest", "runs", newest["before"], 2)
        assert [run["id"] for run in newest["items"] + older["items"]] == ["run_2", "run_1"]
        assert older["before"] is None


async def test_what_is_not_there_is_refused(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        with pytest.raises(ActionError, match="no quest"):
            await home.call("quest", "start_quest", {"key": "nope", "run_id": "run_1"})
        with pytest.raises(ActionError, match="No quest run"):
            await home.call("quest", "run", "run_1")
        await home.call("quest", "set_running", False)
        with pytest.raises(ActionError, match="stopped"):
            await home.call("quest", "start_quest", {"key": "profile", "run_id": "run_1"})
        assert await home.call("quest", "runs", None, 9) == {"items": [], "before": None}


async def test_the_first_tool_is_written_tested_and_committed(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        await home.call("quest", "start_quest", {"key": "first-cli-tool", "run_id": "run_1"})
        await question(home)
        assert "what will you keep" in await home.ask("quest", "Jot")
        await home.say("quest", "Ideas and 'quotes'")
        handed_on = await home.event(
            "quest", lambda e: "I hand this to the coding" in str(e["data"])
        )
        asked = await question(home, after=handed_on["seq"])
        assert "What should it learn next?" in asked["data"]["text"]
        assert "test_cli.py" in asked["data"]["text"]
        assert "my first note" in asked["data"]["text"]
        assert "You shipped jot" in await home.ask("quest", "To forget")
        assert (await finished(home))["data"]["status"] == "completed"

        assert "PURPOSE = \"Ideas and 'quotes'\"" in await home.read("agents/coding/jot/cli.py")
        assert "Next: To forget" in await home.read("memory/projects/jot.md")
        coding = [e for e in await home.log("coding") if e["type"] == "task.log"]
        assert any("OK" in e["data"]["text"] for e in coding)
