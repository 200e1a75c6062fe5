"""Coming back from nothing: all that is left are the accounts and the repositories."""

import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from growqr.cli import app
from growqr.testing import Platform
from tests.support.person import Person

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

Json = dict[str, Any]


def test_an_agent_comes_back_from_its_repository(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    with platform:
        ada = Person.register(platform.url)
        live_a_little(ada)
        before = everything(ada)
        repository = tmp_path / "data" / "git" / f"{ada.get('/actors/me')['repo_id']}.git"
    lose_all_but(tmp_path, accounts=True)
    honest = growqr(tmp_path, "verify")
    assert honest.exit_code == 0, honest.stdout
    done = growqr(tmp_path, "restore", "--all")
    assert "restored" in done.stdout, done.stdout + done.stderr
    again = growqr(tmp_path, "restore", "--user", ada.email)
    assert "nothing was missing" in again.stdout
    review = push_while_nobody_is_there(repository)
    with platform:
        ada = login(platform, ada)
        after = everything(ada)
        for part, value in before.items():
            assert after[part] == value, part
        log = ada.stored_events()
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        go_on(ada)
        kept = ada.client.get("/memory/file", params={"path": review}).json()["content"]
        assert "# My own week\n" in kept, "what was pushed meanwhile is not overwritten"
        assert "> Rest helps\n" in kept
        assert "> Run\n" in kept


def test_people_are_invited_back_when_the_accounts_are_gone_too(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    with platform:
        ada = Person.register(platform.url)
        repo_id = ada.get("/actors/me")["repo_id"]
        ada.reply_to(ada.send("remember that I like green tea"))
        ada.post("/git/repos", {"name": "tool"})
        before = everything(ada)
    lose_all_but(tmp_path, accounts=False)
    with platform:
        newcomer = Person.register(platform.url)  # has begun anew, before anybody could help
        newcomer.reply_to(newcomer.send("hello"))
        stranger = Person.register(platform.url, "Eve")

    listed = growqr(tmp_path, "restore", "--all")
    assert f"--invite EMAIL={repo_id}" in listed.stdout
    unknown = growqr(tmp_path, "restore", "--invite", f"nobody@example.com={repo_id}")
    assert unknown.exit_code == 1
    assert "no account" in unknown.stderr
    invited = growqr(tmp_path, "restore", "--invite", f"{newcomer.email}={repo_id}")
    assert "restored" in invited.stdout, invited.stdout + invited.stderr
    refused = growqr(tmp_path, "restore", "--invite", f"{stranger.email}={repo_id}")
    assert refused.exit_code == 1
    assert "another account" in refused.stderr
    with platform:
        newcomer = login(platform, newcomer)
        after = everything(newcomer)
        assert after["messages"]["grow"] == before["messages"]["grow"]
        assert after["memory"] == before["memory"]
        names = [name for name in after["repos"] if name != "tool"]
        assert "tool" in after["repos"], "a project comes back with the life it belongs to"
        assert len(names) == 2, "what was begun meanwhile is kept, as a project"


def live_a_little(ada: Person) -> None:
    ada.reply_to(ada.send("remember that I like green tea"))
    ada.reply_to(ada.send("my goal is to run 10 km by December"))
    repo, quest = ada.agent("repo")["id"], ada.agent("quest")["id"]
    ada.reply_to(ada.send("create project tool", actor_id=repo))
    ada.post("/quests/weekly-review/start")
    ada.wait_for(lambda e: bool(e["data"].get("metadata", {}).get("question")))
    ada.reply_to(ada.send("It went well", actor_id=quest))
    ada.wait_for(lambda e: e["type"] == "task.completed")
    ada.wait_for(lambda e: any(p.startswith("tasks/") for p in e["data"].get("paths", ())))


def go_on(ada: Person) -> None:
    """The restored agent still knows, and the quest goes on where it was."""
    quest = ada.agent("quest")["id"]
    assert "green tea" in ada.reply_to(ada.send("what do you know about tea?"))
    assert "What do you know now" in ada.reply_to(ada.send("Mondays", actor_id=quest))
    ada.reply_to(ada.send("Rest helps", actor_id=quest))
    ada.reply_to(ada.send("Run", actor_id=quest))
    ada.wait_for(lambda e: e["type"] == "quest.completed")


def everything(ada: Person) -> dict[str, Any]:
    """What a person sees of their agent, without what may differ after a restore."""
    repo_id = ada.get("/actors/me")["repo_id"]
    actors = [
        {key: row[key] for key in ("id", "name", "parent_id", "channel_id", "workspace_path")}
        for row in ada.get("/actors")["items"]
    ]
    channels = {row["name"]: row["id"] for row in ada.get("/channels")["items"]}
    wanted = ("id", "role", "author", "text", "in_reply_to", "at")
    messages = {
        name: [
            {key: message[key] for key in wanted}
            for message in ada.get(f"/channels/{channel}/messages", limit=100)["items"]
        ]
        for name, channel in channels.items()
    }
    return {
        "actors": actors,
        "messages": messages,
        "tasks": {task["id"]: told(task) for task in ada.get("/tasks")["items"]},
        "runs": ada.get("/quests/runs")["items"],
        "memory": [
            file for file in ada.get("/memory")["items"] if not file["path"].startswith("quests/")
        ],
        "goals": [
            ada.client.get("/memory/file", params={"path": file["path"]}).json()["content"]
            for file in ada.get("/memory")["items"]
            if file["path"].startswith("goals/")
        ],
        "hits": [hit["path"] for hit in ada.get("/memory/search", q="tea")["items"]],
        "repos": [ada.get(f"/git/repos/{repo_id}")["name"], *projects(ada)],
    }


def told(task: Json) -> Json:
    return {
        key: task[key] for key in ("agent", "title", "prompt", "status", "result", "created_at")
    }


def projects(ada: Person) -> list[str]:
    return [row["name"] for row in ada.get("/git/repos")["items"] if row["kind"] == "project"]


def push_while_nobody_is_there(repository: Path) -> str:
    """Commit, as a push does, another heading of the quest's file; returns its path."""

    def git(*words: str, stdin: str | None = None) -> str:
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        command = ["git", "--git-dir", str(repository), *who, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    path = git("ls-tree", "-r", "--name-only", "main", "quests/weekly-review")
    text = git("show", f"main:{path}").replace("# Weekly review\n", "# My own week\n")
    blob = git("hash-object", "-w", "--stdin", stdin=text + "\n")
    stream = (
        f"commit refs/heads/main\ncommitter Ada <ada@example.com> {int(time.time())} +0000\n"
        f"data 8\nBy hand\n\nfrom refs/heads/main^0\nM 100644 {blob} {path}\n"
    )
    git("fast-import", "--quiet", stdin=stream)
    return path


def lose_all_but(folder: Path, *, accounts: bool) -> None:
    data = folder / "data"
    for name in ("engine", "workspaces", "cache"):
        shutil.rmtree(data / name, ignore_errors=True)
    if not accounts:
        shutil.rmtree(data / "db")
        return
    with sqlite3.connect(next((data / "db").glob("*.sqlite"))) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table not in ("users", "alembic_version") and not table.startswith("sqlite_"):
                db.execute(f'DELETE FROM "{table}"')
    db.close()


def growqr(folder: Path, *arguments: str) -> Result:
    environment = {"GROWQR_DATA_DIR": str(folder / "data")}
    return CliRunner().invoke(app, arguments, env=environment)


def login(platform: Platform, person: Person) -> Person:
    """The same person at the platform's address of now."""
    client = httpx.Client(base_url=platform.url, timeout=30)
    account = {"email": person.email, "password": "correct horse 1"}
    session = client.post("/auth/login", json=account).raise_for_status().json()
    client.headers["authorization"] = f"Bearer {session['token']}"
    return Person(platform.url, client, session)
