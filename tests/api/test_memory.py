"""Memory over HTTP, written by the agent and undone by the user."""

import httpx
import pytest
from fastapi import FastAPI

from growqr.api.services import Services
from growqr.git.forge import Author, RepoRef
from tests.api.conftest import Person
from tests.support.drafting import drafted

pytestmark = pytest.mark.anyio

GROW = Author("act_1", "Grow", frozenset({"git.commit:**"}))


async def remember(services: Services, person: Person, path: str, content: str) -> str:
    repo = RepoRef(person.actor["repo_id"], person.user_id, "grow")
    _, commit = await drafted(
        services.memory,
        repo,
        GROW,
        lambda draft: draft.remember(path, content, "you said so"),
        f"{path}:{content}",
    )
    return commit.sha


async def test_files_and_their_text_are_shown(services: Services, ada: Person) -> None:
    await remember(services, ada, "tea", "# Tea\n\nGreen, no sugar.")
    listed = (await ada.http.get("/memory")).json()["items"]
    assert [file["path"] for file in listed] == ["README.md", "memory/tea.md", "profile.md"]
    assert (listed[1]["title"], listed[1]["source"]) == ("Tea", "msg_1")
    first = (await ada.http.get("/memory?limit=1")).json()
    rest = (await ada.http.get(f"/memory?cursor={first['next_cursor']}")).json()
    assert [file["path"] for file in rest["items"]] == ["memory/tea.md", "profile.md"]
    file = (await ada.http.get("/memory/file?path=memory/tea.md")).json()
    assert (file["content"], file["reason"]) == ("# Tea\n\nGreen, no sugar.\n", "you said so")
    missing = await ada.http.get("/memory/file?path=nope")
    assert (missing.status_code, missing.json()["code"]) == (404, "memory_not_found")
    refused = await ada.http.get("/memory/file?path=../../etc/passwd")
    assert (refused.status_code, refused.json()["code"]) == (400, "path_invalid")


async def test_search_finds_ones_own_memory_only(
    services: Services, ada: Person, bob: Person
) -> None:
    await remember(services, ada, "tea", "Likes green tea.")
    hits = (await ada.http.get("/memory/search?q=teas")).json()["items"]
    assert [hit["path"] for hit in hits] == ["memory/tea.md"]
    assert "green tea" in hits[0]["snippet"]
    assert (await bob.http.get("/memory/search?q=tea")).json()["items"] == []
    assert (await ada.http.get("/memory/search?q=")).status_code == 422


async def test_history_and_undo(services: Services, ada: Person) -> None:
    sha = await remember(services, ada, "tea", "Green.")
    await remember(services, ada, "cats", "Two.")
    history = (await ada.http.get("/memory/history?path=memory/tea.md")).json()["items"]
    assert [commit["sha"] for commit in history] == [sha]
    key = {"Idempotency-Key": "undo"}
    undone = await ada.http.post("/memory/revert", json={"sha": sha}, headers=key)
    assert undone.status_code == 201
    assert undone.json()["trailers"]["Actor"] == ada.user_id
    paths = [file["path"] for file in (await ada.http.get("/memory")).json()["items"]]
    assert paths == ["README.md", "memory/cats.md", "profile.md"]
    again = await ada.http.post("/memory/revert", json={"sha": sha}, headers=key)
    assert again.json() == undone.json()


async def test_what_cannot_be_undone_says_why(services: Services, ada: Person) -> None:
    first = await remember(services, ada, "tea", "Green.")
    await remember(services, ada, "tea", "Black.")
    start = (await ada.http.get("/memory/history")).json()["items"][-1]["sha"]
    for sha, status, code in [
        (first, 409, "merge_conflict"),
        (start, 400, "not_undoable"),
        ("0" * 40, 404, "commit_not_found"),
        ("main", 422, "invalid_input"),
    ]:
        answer = await ada.http.post("/memory/revert", json={"sha": sha})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await ada.http.get("/memory/file?path=tea")).json()["content"] == "Black.\n"


async def test_without_an_agent_there_is_no_memory(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        assert (await http.get("/memory")).status_code == 401
        account = {"email": "c@example.org", "password": "correct horse battery", "name": "Cyd"}
        token = (await http.post("/auth/register", json=account)).json()["token"]
        http.headers["authorization"] = f"Bearer {token}"
        assert (await http.get("/memory")).status_code == 404


async def test_the_past_can_be_asked(services: Services, ada: Person) -> None:
    await remember(services, ada, "tea", "Likes green tea.")
    today = (await ada.http.get("/memory/history")).json()["items"][0]["at"][:10]
    hits = (await ada.http.get(f"/memory/search?q=tea&at={today}")).json()["items"]
    assert [hit["path"] for hit in hits] == ["memory/tea.md"]
    listed = (await ada.http.get(f"/memory?at={today}")).json()["items"]
    assert "memory/tea.md" in [file["path"] for file in listed]
    assert (await ada.http.get("/memory?at=1999-01-01")).json()["code"] == "too_early"
    file = await ada.http.get(f"/memory/file?path=tea&at={today}")
    assert file.json()["content"] == "Likes green tea.\n"
    early = await ada.http.get("/memory/search?q=tea&at=1999-01-01")
    assert (early.status_code, early.json()["code"]) == (404, "too_early")
    wrong = await ada.http.get("/memory/search?q=tea&at=soon")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "moment_invalid")
    left = (await ada.http.get("/memory/remains?path=tea")).json()
    assert (left["path"], left["versions"]) == ("memory/tea.md", 1)
