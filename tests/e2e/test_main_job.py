"""The main job over HTTP: a model at an OpenAI-compatible address remembers and delegates,
OpenCode writes and runs a file in its sandbox, and a plain `git clone` brings it all home."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from growqr.testing import Platform
from tests.support.person import Person
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

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

KEY = "sk-test-not-for-sandboxes"
PROGRAM = "print('sum:', 19 + 23)\n"


def follow_script(request: Request) -> Answer:
    tools = tool_names(request)
    if "remember" in tools:
        return grow_agent(request)
    if "bash" in tools:
        return coding_agent(request)
    return Say("A title")


def grow_agent(request: Request) -> Answer:
    done = len(tool_results(request))
    if "add up" not in last_user_text(request):
        return Say("Hello from the scripted model.")
    if done == 0:
        return call(
            "remember",
            path="memory/likes.md",
            content="Likes sums.",
            reason="The user said so",
        )
    if done == 1:
        return call("delegate", agent="coding", task="Write add.py that adds up, and run it")
    return Say("I noted it and handed the program to the coding agent.")


def coding_agent(request: Request) -> Answer:
    done = len(tool_results(request))
    if done == 0:
        return call("write", filePath="/workspace/add.py", content=PROGRAM)
    if done == 1:
        return call("bash", command="python3 add.py", description="Run the program")
    return Say("add.py prints the sum.")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with serve(follow_script) as model:
        environment = {
            "GROWQR_MODEL__PROVIDER": "openai-compatible",
            "GROWQR_MODEL__NAME": "scripted",
            "GROWQR_MODEL__API_KEY": KEY,
            "GROWQR_MODEL__BASE_URL": model.base_url,
        }
        with Platform(tmp_path_factory.mktemp("main-job"), environment) as platform:
            yield platform
        assert model.keys == {KEY}, "the gateway puts the key in, also for the sandbox"


def test_a_message_becomes_memory_a_program_and_commits(platform: Platform, tmp_path: Path) -> None:
    ada = Person.register(platform.url)
    message = ada.send("Remember that I like sums, and write a program to add up 19 and 23.")
    assert "coding agent" in ada.reply_to(message)

    finished = ada.wait_for(lambda e: e["type"] in ("task.completed", "task.failed"))
    assert finished["type"] == "task.completed", finished
    task = ada.get(f"/tasks/{finished['task_id']}")
    assert task["status"] == "completed"
    assert task["agent"] == "coding"
    log = [e["data"]["text"] for e in ada.stored_events() if e["type"] == "task.log"]
    assert any("sum: 42" in text for text in log)

    clone = clone_life(ada, tmp_path)
    memory = (clone / "memory/likes.md").read_text()
    assert "Likes sums." in memory
    assert memory.startswith("---\n")
    shown = git(clone, "show", f"{task['result']['commit']}:agents/coding/add.py")
    assert shown == PROGRAM
    assert (clone / "agents/coding/add.py").read_text() == PROGRAM
    trailers = git(clone, "log", "-1", "--format=%(trailers:unfold)", task["result"]["commit"])
    assert f"Task: {task['id']}" in trailers
    assert f"Message: {message}" in trailers
    assert "Growqr-Schema: 1" in trailers
    assert KEY not in git(clone, "log", "-p", "--all")


def test_the_event_log_has_no_gap_and_no_key(platform: Platform) -> None:
    bea = Person.register(platform.url, "Bea")
    bea.reply_to(bea.send("Hello"))
    log = bea.stored_events()
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert KEY not in str(log)


def test_a_push_reaches_the_agent_and_a_wrong_token_does_not(
    platform: Platform, tmp_path: Path
) -> None:
    cyd = Person.register(platform.url, "Cyd")
    clone = clone_life(cyd, tmp_path, scope="write")
    (clone / "memory").mkdir(exist_ok=True)
    (clone / "memory/by-hand.md").write_text("I wrote this myself.\n")
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=Cyd", "-c", "user.email=cyd@example.com", "commit", "-qm", "Add")
    git(clone, "push", "-q", "origin", "HEAD:main")
    assert any(file["path"] == "memory/by-hand.md" for file in cyd.get("/memory")["items"])

    stranger = Person.register(platform.url, "Dan")
    repo = cyd.get(f"/git/repos/{cyd.get('/actors/me')['repo_id']}")
    refused = subprocess.run(
        ["git", "ls-remote", with_token(repo["clone_url"], token_for(stranger))],
        capture_output=True,
        timeout=30,
        check=False,
        env={"GIT_TERMINAL_PROMPT": "0", "PATH": "/usr/bin:/bin"},
    )
    assert refused.returncode != 0


def clone_life(person: Person, folder: Path, scope: str = "read") -> Path:
    """Clone the person's own repository as they would, with a token."""
    repo = person.get(f"/git/repos/{person.get('/actors/me')['repo_id']}")
    target = folder / "life"
    git(folder, "clone", "-q", with_token(repo["clone_url"], token_for(person, scope)), str(target))
    return target


def token_for(person: Person, scope: str = "read") -> str:
    repo_id = person.get("/actors/me")["repo_id"]
    return str(person.post(f"/git/repos/{repo_id}/tokens", {"scope": scope})["token"])


def with_token(clone_url: str, token: str) -> str:
    return clone_url.replace("http://", f"http://grow:{token}@", 1)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
