from pathlib import Path
from typing import Any

import pytest
from pyrivet import ActionError

from growqr.events import Task
from growqr.settings import Limits, Settings
from tests.agents.world import World, gate, world

pytestmark = [pytest.mark.anyio, pytest.mark.live]


def _request(home: World, prompt: str, task_id: str) -> dict[str, Any]:
    return {
        "agent": "coding",
        "title": prompt,
        "prompt": prompt,
        "task_id": task_id,
        "requested_by": home.ids["grow"],
    }


async def test_a_message_becomes_a_task_and_gets_one_answer(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        message_id = await home.post("build it", to="coding")
        reply = await home.reply_to(message_id, at="coding")
        assert reply["text"] == "did: build it"

        kinds = [event["type"] for event in await home.events("coding")]
        assert kinds.index("task.created") < kinds.index("task.started")
        assert kinds.index("task.started") < kinds.index("task.completed")
        told = await home.reply_to(message_id)
        assert told["text"] == reply["text"]
        assert len(await home.answers(message_id)) == 1


async def test_a_delegated_task_is_reported_and_recorded(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        grow = home.agent("grow")
        request = _request(home, "build it", "tsk_1")
        first = await grow.call("delegate", request)
        assert (await grow.call("delegate", request))["created_at"] == first["created_at"]

        notice = await home.until(
            lambda e: (
                e["type"] == "message.completed"
                and e["actor_id"] == home.ids["grow"]
                and e["data"]["metadata"].get("task_id") == "tsk_1"
            )
        )
        assert "did: build it" in notice["data"]["text"]
        assert notice["data"]["in_reply_to"] is None
        await home.until(lambda e: e["type"] == "memory.committed" and e["task_id"] == "tsk_1")
        record = (await home.services.forge.blob(home.repo, "tasks/tsk_1.md")).decode()
        assert "status: completed" in record

        task = Task.model_validate(await grow.call("task", "tsk_1"))
        assert task.status == "completed"
        created = [e for e in await home.events() if e["type"] == "task.created"]
        assert len(created) == 1


async def test_a_failing_task_says_why(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        message_id = await home.post("fail no such compiler", to="coding")
        reply = await home.reply_to(message_id, at="coding")
        assert "no such compiler" in reply["text"]
        assert reply["metadata"]["status"] == "failed"


async def test_a_question_waits_for_the_next_message(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        asked = await home.post("ask Which colour?", to="coding")
        waiting = await home.until(lambda e: e["type"] == "task.waiting", at="coding")
        assert waiting["data"]["reason"] == "Which colour?"
        meanwhile = home.agent("coding")
        assert (await meanwhile.call("task", waiting["task_id"]))["status"] == "waiting"

        answer = await home.post("green", to="coding")
        assert "I go on" in (await home.reply_to(answer, at="coding"))["text"]
        assert (await home.reply_to(asked, at="coding"))["text"] == "You said: green"


async def test_a_question_can_be_answered_by_its_id_and_only_while_it_is_open(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        asked = await home.post("ask Which colour?", to="coding")
        waiting = await home.until(lambda e: e["type"] == "task.waiting", at="coding")
        question = waiting["data"]["question"]
        [message] = [
            e["data"]
            for e in await home.events("coding")
            if e["data"].get("message_id") == question["id"]
        ]
        assert message["metadata"] == {"task_id": waiting["task_id"], "question": question}
        assert question["expires_at"] is None

        astray = await home.post("green", to="coding", answers="msg_other")
        assert "not open any more" in (await home.reply_to(astray, at="coding"))["text"]
        await home.post("blue", to="coding", answers=question["id"])
        assert (await home.reply_to(asked, at="coding"))["text"] == "You said: blue"
        resumed = await home.task_event("task.resumed", waiting["task_id"], at="coding")
        assert resumed["data"]["question"] is None
        closed = {"id": question["id"], "outcome": "answered", "answer": "blue"}
        assert resumed["data"]["closed_question"] == closed
        await home.task_event("task.resumed", waiting["task_id"])  # the Grow Agent has heard of it
        task = await home.agent("grow").call("task", waiting["task_id"])
        assert "closed_question" not in task
        again = await home.post("red", to="coding", answers=question["id"])
        assert "not open any more" in (await home.reply_to(again, at="coding"))["text"]


async def test_a_question_that_nobody_answers_is_denied_in_time(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        asked = await home.post("ask-shortly May I?", to="coding")
        waiting = await home.until(lambda e: e["type"] == "task.waiting", at="coding")
        question = waiting["data"]["question"]
        assert (question["kind"], question["options"]) == ("permission", ["Yes", "No"])
        assert question["expires_at"]
        reply = await home.reply_to(asked, at="coding")
        assert reply["text"] == "Without it: Nobody answered in time: May I?"
        resumed = await home.task_event("task.resumed", waiting["task_id"], at="coding")
        closed = {"id": question["id"], "outcome": "expired", "answer": None}
        assert resumed["data"]["closed_question"] == closed
        [told] = [
            e["data"] for e in await home.events("coding") if e["data"].get("role") == "system"
        ]
        assert told["metadata"] == {"task_id": waiting["task_id"], "expired": question["id"]}
        late = await home.post("Yes", to="coding", answers=question["id"])
        assert "not open any more" in (await home.reply_to(late, at="coding"))["text"]


async def test_pause_resume_and_cancel(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        grow = home.agent("grow")
        await grow.call("delegate", _request(home, "wait pausing", "tsk_p"))
        await home.task_event("task.progress", "tsk_p")
        assert (await grow.call("pause_task", "tsk_p"))["status"] == "paused"
        assert (await grow.call("task", "tsk_p"))["status"] == "paused"
        await home.task_event("task.paused", "tsk_p")

        assert (await grow.call("resume_task", "tsk_p"))["status"] == "queued"
        gate("pausing").set()
        done = await home.task_event("task.completed", "tsk_p")
        assert done["data"]["result"]["summary"] == "run 2"

        await grow.call("delegate", _request(home, "wait forever", "tsk_c"))
        await home.task_event("task.progress", "tsk_c")
        assert (await grow.call("cancel_task", "tsk_c"))["status"] == "cancelled"
        await home.task_event("task.cancelled", "tsk_c")
        for task_id in ("tsk_p", "tsk_c"):
            with pytest.raises(ActionError) as refused:
                await grow.call("resume_task", task_id)
            assert refused.value.code == "conflict"
        with pytest.raises(ActionError) as unknown:
            await grow.call("pause_task", "tsk_nobody")
        assert unknown.value.code == "not_found"


async def test_tasks_run_one_at_a_time_in_order(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        first = await home.post("wait order", to="coding")
        second = await home.post("second", to="coding")
        await home.until(lambda e: e["type"] == "task.progress", at="coding")
        started = [e for e in await home.events("coding") if e["type"] == "task.started"]
        assert len(started) == 1
        gate("order").set()
        await home.reply_to(second, at="coding")
        replies = [e["data"] for e in await home.events("coding") if e["data"].get("in_reply_to")]
        assert [reply["in_reply_to"] for reply in replies] == [first, second]


async def test_a_stopped_agent_refuses_messages_and_pauses_its_tasks(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        coding = home.agent("coding")
        message_id = await home.post("wait stopping", to="coding")
        await home.until(lambda e: e["type"] == "task.progress", at="coding")
        await coding.call("set_running", False)
        with pytest.raises(ActionError) as refused:
            await home.post("more", to="coding")
        assert refused.value.code == "agent_stopped"
        assert [e["type"] for e in await home.events("coding")][-1] == "task.paused"

        gate("stopping").set()
        await coding.call("set_running", True)
        assert (await home.reply_to(message_id, at="coding"))["text"] == "run 2"


async def test_logs_are_cut_at_the_limit(tmp_path: Path, engine: str) -> None:
    settings = Settings(limits=Limits(log_bytes=1_000))
    async with world(tmp_path, engine, settings=settings) as home:
        message_id = await home.post("log 50", to="coding")
        await home.reply_to(message_id, at="coding")
        logs = [e["data"] for e in await home.events("coding") if e["type"] == "task.log"]
        assert len(logs) < 20
        assert logs[-1]["stream"] == "system"
        assert "Log cut" in logs[-1]["text"]


async def test_an_agent_waits_for_a_task_it_delegated(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        message_id = await home.post("delegate build it", to="repo")
        assert (await home.reply_to(message_id, at="repo"))["text"] == "part: completed"
        refused = await home.post("delegate fail never", to="repo")
        assert (await home.reply_to(refused, at="repo"))["text"] == "part: failed"
        astray = await home.post("misdirect it", to="repo")
        text = (await home.reply_to(astray, at="repo"))["text"]
        assert text == "part: failed, There is no agent `nobody`."
