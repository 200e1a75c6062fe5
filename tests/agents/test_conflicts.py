"""What user and agent changed at the same time: the user is asked, the answer carried out."""

from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.models.function import AgentInfo

from growqr.agents.decisions import Decision, decided, side_in
from growqr.git.forge import Author, Change, CommitRequest
from tests.agents.scripts import scripted
from tests.support.household import Household, household

pytestmark = pytest.mark.anyio

Event = dict[str, Any]
GOAL = {"title": "Run 10 km", "why": "Health."}


class Talk:
    """A model that remembers tea and a goal, and a user who writes about tea at the same time."""

    home: Household

    def __init__(self, *, conflicting: bool = True) -> None:
        self.conflicting = conflicting

    async def __call__(self, done: list[Any], _info: AgentInfo) -> Any:
        if not done:
            tea = {"path": "tea", "content": "# Tea\n\nGreen.", "reason": "said so"}
            return {"remember": tea, "set_goal": GOAL}
        if self.conflicting:
            await by_hand(self.home, "memory/tea.md", b"# Tea\n\nOolong, by hand.\n")
        return "Noted."


async def by_hand(home: Household, path: str, content: bytes) -> None:
    """Commit what Ada pushes from her own computer."""
    ada = Author(home.repo.owner_id, "Ada")
    change = Change(path, content)
    await home.forge.commit(home.repo, CommitRequest("main", "By hand\n", ada, [change]))


async def asked(home: Household, agent: str, after: int = 0) -> Event:
    """Return the next question about a conflict."""
    return await home.event(
        agent,
        lambda e: (e["data"].get("metadata", {}).get("question") or {}).get("kind") == "conflict",
        after,
    )


async def settled(home: Household, agent: str) -> Event:
    event = await home.event(agent, lambda e: e["type"] in ("task.completed", "task.failed"))
    assert event["type"] == "task.completed", event
    return event


@pytest.mark.live
async def test_several_memories_of_a_turn_are_one_commit(tmp_path: Path, engine: str) -> None:
    talk = Talk(conflicting=False)
    async with household(tmp_path, engine, scripted(talk)) as home:
        talk.home = home
        message = await home.say("grow", "I like green tea and want to run 10 km")
        assert await home.reply("grow", message) == "Noted."
        made, first = await home.forge.commits(home.repo)
        assert made.parents == (first.sha,)
        assert made.subject == "memory(life): Tea, Run 10 km"
        assert made.trailers["Message"] == message
        told = [e["data"] for e in await home.log("grow") if e["type"] == "memory.committed"]
        assert [data["sha"] for data in told] == [made.sha]


@pytest.mark.live
@pytest.mark.parametrize(
    ("answer", "stands"),
    [
        ("Keep mine.", ["Oolong, by hand."]),
        ("keep yours", ["Green."]),
        ("both", ["Oolong, by hand.", "Green."]),
        ("This:\n```\n# Tea\n\nNone at all.\n```", ["None at all."]),
    ],
)
async def test_the_user_decides_what_stands_also_after_a_restart(
    tmp_path: Path, engine: str, answer: str, stands: list[str]
) -> None:
    talk = Talk()
    async with household(tmp_path, engine, scripted(talk)) as home:
        talk.home = home
        reply = await home.ask("grow", "I like green tea")
        assert reply.startswith("Noted.\n\nYou changed `memory/tea.md` while")
        question = await asked(home, "repo")
        assert "+Oolong, by hand." in question["data"]["text"]
        assert "+Green." in question["data"]["text"]
        assert await home.read("memory/tea.md") == "# Tea\n\nOolong, by hand.\n"
        await home.stop()
        await home.start()
        talk.home = home

        await home.say("repo", answer, answers=question["data"]["message_id"])
        task = (await settled(home, "repo"))["data"]
        made = await home.forge.commit_info(home.repo, task["result"]["commit"])
        assert made.trailers["Kind"] == "settle"
        assert made.trailers["Task"] == task["id"]
        text = await home.read("memory/tea.md")
        for line in ("Oolong, by hand.", "Green.", "None at all."):
            assert (line in text) == (line in stands), text
        goal = next(e for e in await home.forge.tree(home.repo, path="goals"))
        assert "Run 10 km" in await home.read(goal.path), "what fitted is there as well"
        log = await home.log("repo")
        assert sum(bool(e["data"].get("metadata", {}).get("question")) for e in log) == 1
        assert [e["data"]["sha"] for e in log if e["type"] == "memory.committed"] == [made.sha]
        notice = await home.event("grow", lambda e: "The repo agent finished" in str(e["data"]))
        assert made.sha[:10] in notice["data"]["text"]


@pytest.mark.live
async def test_an_answer_counts_only_for_what_it_was_shown(tmp_path: Path, engine: str) -> None:
    talk = Talk()
    async with household(tmp_path, engine, scripted(talk)) as home:
        talk.home = home
        await home.ask("grow", "I like green tea")
        first = await asked(home, "repo")
        await by_hand(home, "memory/tea.md", b"# Tea\n\nChanged my mind.\n")
        await home.say("repo", "keep yours")
        second = await asked(home, "repo", first["seq"])
        assert second["data"]["text"].startswith("Meanwhile you have changed it again.")
        assert "+Changed my mind." in second["data"]["text"]
        await home.say("repo", "what?", answers=second["data"]["message_id"])
        third = await asked(home, "repo", second["seq"])
        assert third["data"]["text"].startswith("I did not understand")
        await home.say("repo", "mine")
        await settled(home, "repo")
        assert await home.read("memory/tea.md") == "# Tea\n\nChanged my mind.\n"


@pytest.mark.live
async def test_a_quest_asks_before_it_writes_over_the_users_file(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        await home.call("quest", "start_quest", {"key": "weekly-review", "run_id": "run_1"})
        await home.event("quest", lambda e: e["type"] == "task.waiting")
        for answer in ("Sleep", "Mondays", "Rest helps"):
            await home.ask("quest", answer)
        started = next(e for e in await home.log("quest") if e["type"] == "quest.started")
        path = f"memory/reviews/{started['at'][:10]}.md"
        await by_hand(home, path, b"My own review.\n")
        await home.say("quest", "Run 10 km")
        question = await asked(home, "quest")
        assert path in question["data"]["text"]
        menu = await home.ask("quest", "hello, what can you do?")
        assert menu.startswith("These quests are here."), "it is no answer, so it gets one"
        assert (await home.call("quest", "task", question["task_id"]))["status"] == "waiting"
        await home.say("quest", "keep mine")
        await settled(home, "quest")
        assert await home.read(path) == "My own review.\n"
        assert "> Run 10 km" in await home.read("quests/weekly-review/run_1.md")


@pytest.mark.live
async def test_what_the_user_changes_in_a_quests_file_outlives_all_later_steps(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        await home.call("quest", "start_quest", {"key": "weekly-review", "run_id": "run_1"})
        await home.event("quest", lambda e: e["type"] == "task.waiting")
        await home.ask("quest", "Sleep")
        path = "quests/weekly-review/run_1.md"
        written = await home.read(path)
        assert "# Weekly review\n" in written
        edited = written.replace("# Weekly review\n", "# My own week\n")
        await by_hand(home, path, edited.encode())
        for answer in ("Mondays", "Rest helps", "Run 10 km"):
            await home.ask("quest", answer)
        await settled(home, "quest")
        text = await home.read(path)
        assert "# My own week\n" in text
        assert "> Run 10 km" in text
        assert "status: completed" in text


PATHS = ["memory/tea.md"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Keep mine, please!", None),
        ("please keep mine", Decision("target")),
        ("MINE", Decision("target")),
        ("Take your version.", Decision("source")),
        ("both", Decision("both")),
        ("yours or mine?", None),
        ("", None),
        ("```md\nnew\n```", Decision("target", "new\n")),
        ("```\n```", Decision("target", "")),
    ],
)
def test_answers_are_understood_or_asked_again(text: str, meant: Decision | None) -> None:
    assert decided(text, PATHS) == meant


def test_words_for_several_files_at_once_are_no_answer() -> None:
    assert decided("```\nnew\n```", ["a", "b"]) is None


@pytest.mark.parametrize("text", ["mine", "Keep yours.", "both versions"])
def test_a_side_alone_is_an_answer(text: str) -> None:
    assert side_in(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "what?", "keep mine and write a test", "Write.\n\n```python a.py\nmine\n```"],
)
def test_a_message_about_other_things_is_none(text: str) -> None:
    assert side_in(text) is None
