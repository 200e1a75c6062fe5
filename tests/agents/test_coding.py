"""The coding agent with a real engine, real OpenCode in its sandbox, and the offline model."""

import asyncio
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from pyrivet import ActionError

from growqr.agents import coding
from growqr.git.forge import Author, Change, CommitRequest
from growqr.ids import derived_id
from growqr.settings import ModelSettings
from tests.support.household import Household, household
from tests.support.scripted_model import (
    Answer,
    Refuse,
    Request,
    Say,
    call,
    serve,
    tool_names,
    tool_results,
)

pytestmark = [pytest.mark.anyio, pytest.mark.live]

GREET = """Write a greeting.

```python greet.py
print("sum:", 19 + 23)
```

run: python3 greet.py"""

# The first time it marks that it runs and then takes too long; the second time it is quick.
SLOW = """Take your time.

```text notes.txt
half done
```

run: if test -e marked; then echo second time; else touch marked; sleep 300; fi"""


# It waits until the test makes the file `go` beside its own.
WAITING = """Write.

```text notes.txt
by the work
```

run: touch marked; until test -e go; do sleep 0.05; done"""


async def by_hand(home: Household, *changes: Change) -> None:
    """Commit what Ada pushes from her own computer."""
    ada = Author(home.repo.owner_id, "Ada")
    await home.forge.commit(home.repo, CommitRequest("main", "By hand\n", ada, changes))


async def running(home: Household) -> dict[str, Any]:
    """Wait until SLOW's command has left its mark."""
    while not any(home.settings.data_dir.glob("workspaces/*/*/ws/marked")):
        await asyncio.sleep(0.02)
    return await home.event("coding", lambda e: e["type"] == "task.progress")


async def finished(home: Household) -> dict[str, Any]:
    final = ("task.completed", "task.failed", "task.cancelled")
    return await home.event("coding", lambda e: e["type"] in final)


async def test_a_task_becomes_one_commit_with_a_receipt(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        message = await home.say("coding", GREET)
        receipt = await home.reply("coding", message)
        task = (await finished(home))["data"]
        result = task["result"]
        assert "`agents/coding/greet.py`" in receipt
        assert "`python3 greet.py`: exit code 0" in receipt
        assert "sum: 42" in receipt
        assert "own words, unchecked:\n\n> " in receipt

        commit = (await home.forge.commits(home.repo, limit=1, path="agents/coding/greet.py"))[0]
        assert commit.sha == result["commit"]
        assert commit.subject == "task(coding): Write a greeting."
        assert commit.paths == ("agents/coding/greet.py",)
        assert (commit.trailers["Task"], commit.trailers["Message"]) == (task["id"], message)
        assert await home.forge.head(home.repo, f"task/{task['id']}") == commit.sha
        [status] = await home.forge.statuses(home.repo, commit.sha)
        assert (status.context, status.state) == ("growqr/task", "success")
        assert status.target_url == f"http://127.0.0.1:8000/app/tasks/{task['id']}"
        log = await home.log("coding")
        assert any(e["type"] == "task.log" and "sum: 42" in e["data"]["text"] for e in log)
        written = {"stream": "file", "text": "write greet.py", "path": "greet.py"}
        assert written in [e["data"] for e in log if e["type"] == "task.log"]
        tools = [e["data"].get("tool") for e in log if e["type"] == "task.progress"]
        assert tools == ["write", "bash"]
        assert "tool" not in await home.call("coding", "task", task["id"])
        states = [e["data"]["status"] for e in log if e["type"] == "workspace.status"]
        assert states[-2:] == ["busy", "idle"]

        # What Ada changes comes into the workspace; what she did not touch stays as it is.
        await by_hand(
            home,
            Change("agents/coding/greet.py", b"print('edited')\n"),
            Change("agents/coding/data.txt", b"from Ada\n"),
        )
        look = "python3 greet.py; cat data.txt; mkdir .GIT; echo left out > .GIT/x"
        receipt = await home.ask("coding", f"Look again.\n\nrun: {look}")
        assert "edited\nfrom Ada" in receipt
        assert "No file changed" in receipt
        assert "- `.GIT/x`: a repository can't hold a file of this name" in receipt
        await by_hand(home, Change("agents/coding/data.txt", None))
        fail = "cat .GIT/x data.txt; rm greet.py; exit 3"
        receipt = await home.ask("coding", f"Fail.\n\nrun: {fail}")
        assert "exit code 3" in receipt
        assert "left out" in receipt  # what could not be committed stays in the workspace
        assert "No such file" in receipt
        tree = await home.forge.tree(home.repo, recursive=True)
        assert not [entry.path for entry in tree if entry.path.startswith("agents/")]
        [status] = await home.forge.statuses(home.repo, "main")
        assert status.state == "failure"
        assert status.description.endswith("exit 3: exit code 3")


async def test_a_branch_in_the_way_of_the_tasks_own_fails_no_task(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        await home.forge.create_branch(home.repo, "task", at="main")
        await home.say("coding", GREET)
        task = (await finished(home))["data"]
        assert task["status"] == "completed"
        assert task["result"]["branch"] == "main"
        assert await home.forge.head(home.repo) == task["result"]["commit"]


async def test_a_forge_that_takes_no_status_fails_no_task(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        notes = home.forge.path(home.repo.id) / "refs" / "notes"
        notes.touch()  # no ref can be written below a file
        await home.ask("coding", GREET)
        task = (await finished(home))["data"]
        assert task["status"] == "completed"
        said = [e["data"]["text"] for e in await home.log("coding") if e["type"] == "task.log"]
        assert any(text.startswith("The commit got no status: ") for text in said)
        assert await home.forge.statuses(home.repo, task["result"]["commit"]) == []


async def test_what_a_person_pushed_during_the_work_is_not_overwritten(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        message = await home.say("coding", WAITING)
        await running(home)
        await by_hand(home, Change("agents/coding/notes.txt", b"by hand\n"))
        (mark,) = home.settings.data_dir.glob("workspaces/*/*/ws/marked")
        mark.with_name("go").touch()
        asked = await home.event("coding", lambda e: e["type"] == "task.waiting")
        assert "+by hand" in asked["data"]["reason"]
        assert "+by the work" in asked["data"]["reason"]
        # What Ada says about other things is no answer: it is the next task.
        following = derived_id("tsk", await home.say("coding", "Look.\n\nrun: cat notes.txt"))
        await home.event(
            "coding", lambda e: (e["type"], e["task_id"]) == ("task.created", following)
        )
        await home.stop()
        await home.start()
        waiting = await home.call("coding", "task", asked["task_id"])
        assert (waiting["status"], waiting["question"]["kind"]) == ("waiting", "conflict")
        assert (await home.call("coding", "task", following))["status"] == "queued"
        await home.say("coding", "keep mine")
        receipt = await home.reply("coding", message)
        task = (await finished(home))["data"]
        assert await home.read("agents/coding/notes.txt") == "by hand\n"
        assert await home.read("agents/coding/go") == ""
        made = await home.forge.commit_info(home.repo, task["result"]["commit"])
        assert made.trailers["Kind"] == "settle"
        assert made.sha[:10] in receipt
        assert await home.forge.head(home.repo, f"task/{task['id']}") == made.sha
        looked = await home.event(
            "coding", lambda e: (e["type"], e["task_id"]) == ("task.completed", following)
        )
        summary = looked["data"]["result"]["summary"]
        assert "by hand" in summary, "the workspace has it as well"


async def test_a_task_goes_on_after_a_restart(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        message = await home.say("coding", SLOW)
        await running(home)
        await home.stop()
        await home.start()
        assert "second time" in await home.reply("coding", message)
        assert await home.read("agents/coding/notes.txt") == "half done\n"
        log = await home.log("coding")
        states = [e["data"]["status"] for e in log if e["type"] == "workspace.status"]
        up = ["provisioned", "starting", "ready", "busy"]
        assert [state for state, _ in groupby(states)] == [*up, *up, "idle"]
        assert [e["type"] for e in log].count("memory.committed") == 1


async def test_a_task_goes_on_on_another_host(tmp_path: Path, engine: str) -> None:
    """Nothing of the workspace is there any more: its files come back from Git."""
    go_on = "Go on.\n\nrun: if test -e here; then touch marked; sleep 300; fi; python3 greet.py"
    async with household(tmp_path, engine) as home:
        await home.ask("coding", GREET)
        [files] = home.settings.data_dir.glob("workspaces/*/*/ws")
        (files / "here").touch()  # on this host the work takes too long
        message = await home.say("coding", go_on)
        await running(home)
        await home.stop()
        shutil.rmtree(home.settings.data_dir / "workspaces")
        await home.start()
        receipt = await home.reply("coding", message)
        assert "sum: 42" in receipt
        assert await home.read("agents/coding/greet.py") == 'print("sum:", 19 + 23)\n'


async def test_a_task_can_be_paused_resumed_and_cancelled(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        await home.say("coding", SLOW)
        task_id = (await running(home))["task_id"]
        with pytest.raises(ActionError, match="Pause or cancel"):
            await home.call("coding", "workspace_stop")
        assert (await home.call("coding", "pause", task_id))["status"] == "paused"
        await home.event(
            "coding", lambda e: e["data"].get("status") == "idle" and "id" in e["data"]
        )
        assert (await home.call("coding", "resume", task_id))["status"] == "queued"
        assert "second time" in (await finished(home))["data"]["result"]["summary"]

        seen = (await home.log("coding"))[-1]["seq"]
        await home.say("coding", "Sleep.\n\nrun: sleep 300")
        task_id = (await home.event("coding", lambda e: e["type"] == "task.progress", after=seen))[
            "task_id"
        ]
        assert (await home.call("coding", "cancel", task_id))["status"] == "cancelled"
        idle = {"status": "idle", "reason": None}
        await home.event("coding", lambda e: e["data"].items() >= idle.items(), after=seen + 3)


async def test_sessions_and_the_workspace_serve_the_api(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coding, "MAX_UNUSED_SESSIONS", 1)
    async with household(tmp_path, engine) as home:
        assert (await home.call("coding", "workspace"))["status"] == "provisioned"
        with pytest.raises(ActionError, match="No session"):
            await home.call(
                "coding",
                "session_message",
                {"session_id": "ses_none", "text": "hi", "message_id": "msg_1"},
            )
        await home.call("coding", "workspace_start")
        await home.event("coding", lambda e: e["data"].get("status") == "ready")
        session = await home.call("coding", "create_session", "A session")
        with pytest.raises(ActionError, match="wait for a message"):
            await home.call("coding", "create_session", "One more")
        sent = {"session_id": session["id"], "text": GREET, "message_id": "msg_1"}
        answer = await home.call("coding", "session_message", sent)
        assert await home.call("coding", "session_message", sent) == answer
        assert "sum: 42" in await home.reply("coding", "msg_1")

        events = await home.call("coding", "session_events", session["id"], 0)
        assert {event["task_id"] for event in events} == {answer["task_id"]}
        assert [e["type"] for e in events].count("task.created") == 1
        workspace = await home.call("coding", "workspace")
        assert [s["id"] for s in workspace["sessions"]] == [session["id"]]
        assert (await home.call("coding", "create_session", "One more"))["id"] != session["id"]
        assert await home.call("coding", "workspace_logs", 0)
        assert (await home.call("coding", "workspace_stop"))["status"] == "stopped"


async def test_two_tasks_take_turns_in_the_workspace(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        first, second = await asyncio.gather(
            home.say("coding", "One.\n\n```text one.txt\n1\n```"),
            home.say("coding", "Two.\n\n```text two.txt\n2\n```"),
        )
        receipts = [await home.reply("coding", message) for message in (first, second)]
        assert [("one.txt" in text, "two.txt" in text) for text in receipts] == [
            (True, False),
            (False, True),
        ]


def scripted(base_url: str) -> ModelSettings:
    return ModelSettings(provider="openai-compatible", name="scripted", base_url=base_url)


async def test_a_patch_of_several_files_is_told_file_by_file(tmp_path: Path, engine: str) -> None:
    patch = "*** Begin Patch\n*** Add File: a.py\n+1\n*** Add File: b.py\n+2\n*** End Patch"

    def script(request: Request) -> Answer:
        done = tool_results(request) or "apply_patch" not in tool_names(request)
        return Say("Done") if done else call("apply_patch", patchText=patch)

    with serve(script) as model:
        settings = scripted(model.base_url).model_copy(update={"name": "gpt-5"})
        async with household(tmp_path, engine, model_settings=settings) as home:
            assert "`agents/coding/b.py`" in await home.ask("coding", "Patch")
            logged = [e["data"] for e in await home.log("coding") if e["type"] == "task.log"]
            files = [(line["text"], line["path"]) for line in logged if line["stream"] == "file"]
            assert files == [("apply_patch a.py", "a.py"), ("apply_patch b.py", "b.py")]


async def test_a_model_that_refuses_fails_the_task_with_its_words(
    tmp_path: Path, engine: str
) -> None:
    with serve(lambda _: Refuse(401, "That key is not known here")) as model:
        async with household(tmp_path, engine, model_settings=scripted(model.base_url)) as home:
            reply = await home.ask("coding", "Write something")
            assert "That key is not known here" in reply
            assert (await finished(home))["type"] == "task.failed"
