"""Everything is killed while a quest waits and a command runs in the sandbox."""

import time
from pathlib import Path

import pytest

from growqr.testing import Platform
from tests.support.person import Person

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

SLOW = """Take your time.

run: if test -e marked; then echo second time; else touch marked; sleep 300; fi"""


def tell(person: Person, actor_id: str, text: str) -> str:
    """Send a message and return its answer."""
    return person.reply_to(person.send(text, actor_id))


def test_quest_and_coding_task_go_on_after_a_power_cut(tmp_path: Path) -> None:
    with Platform(tmp_path) as platform:
        ada = Person.register(platform.url)
        quest, coding = ada.agent("quest")["id"], ada.agent("coding")["id"]
        run = ada.post("/quests/weekly-review/start")
        ada.wait_for(lambda e: bool(e["data"].get("metadata", {}).get("question")))
        assert "What was hard" in tell(ada, quest, "It went well")
        message = ada.send(SLOW, actor_id=coding)
        while not any(platform.data_dir.glob("workspaces/*/*/ws/marked")):
            time.sleep(0.05)

        platform.kill()
        platform.start()
        ada.be_patient()
        ada.client.base_url = platform.url
        assert "What do you know now" in tell(ada, quest, "Mondays")
        assert "one thing" in tell(ada, quest, "Rest helps")
        assert "last question" in tell(ada, quest, "Run")
        assert "second time" in ada.reply_to(message)

        ada.wait_for(lambda e: e["type"] == "quest.completed")
        assert ada.get(f"/quests/runs/{run['id']}")["status"] == "completed"
        log = ada.stored_events()
        answered = [e["data"]["in_reply_to"] for e in log if e["type"] == "message.completed"]
        replies = [message_id for message_id in answered if message_id]
        assert len(replies) == len(set(replies)) == 5
        assert [e["type"] for e in log].count("quest.step") == len(run["steps"])
