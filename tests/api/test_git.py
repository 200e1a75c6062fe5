"""Repositories over HTTP: commits, reading, branches, merges, tokens."""

import base64
from typing import Any

import httpx
import pytest

from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import RepoRef
from growqr.git.statuses import CommitStatus
from tests.api.conftest import Person

pytestmark = pytest.mark.anyio


@pytest.fixture
async def repo(ada: Person) -> str:
    made = await ada.http.post("/git/repos", json={"name": "todo", "description": "A list"})
    assert made.status_code == 201
    return f"/git/repos/{made.json()['id']}"


async def commit(
    ada: Person, repo: str, changes: list[dict[str, Any]], **more: Any
) -> httpx.Response:
    body = {"subject": "write something", "changes": changes, **more}
    return await ada.http.post(f"{repo}/commit", json=body)


async def test_a_repository_is_described(ada: Person) -> None:
    life = (await ada.http.post(f"/git/users/{ada.user_id}/repo")).json()
    assert life["id"] == ada.actor["repo_id"]
    assert (life["kind"], life["name"], life["default_branch"]) == ("primary", "grow", "main")
    assert life["clone_url"] == f"http://127.0.0.1:8000/git/{life['id']}/grow.git"
    assert len(life["head"]) == 40
    assert (await ada.http.get(f"/git/repos/{life['id']}")).json() == life
    project = (await ada.http.post("/git/repos", json={"name": "todo"})).json()
    page = (await ada.http.get("/git/repos?limit=1")).json()
    rest = (await ada.http.get(f"/git/repos?cursor={page['next_cursor']}")).json()
    assert [row["id"] for row in page["items"] + rest["items"]] == [life["id"], project["id"]]
    again = await ada.http.post("/git/repos", json={"name": "todo"})
    assert (again.status_code, again.json()["code"]) == (409, "repo_exists")


async def test_a_commit_is_read_back(ada: Person, repo: str) -> None:
    binary = base64.b64encode(b"\0\xff").decode()
    made = await ada.http.post(
        f"{repo}/commit",
        json={
            "message": {"kind": "edit", "scope": "docs", "what": "start"},
            "changes": [
                {"path": "docs/a.md", "content": "Grüße\n"},
                {"path": "b.bin", "content": binary, "encoding": "base64"},
                {"path": "README.md", "delete": True},
            ],
        },
    )
    assert made.status_code == 201
    body = made.json()
    assert (body["subject"], body["author"]) == ("edit(docs): start", "ada")
    assert body["trailers"]["Actor"] == ada.user_id
    assert body["paths"] == ["README.md", "b.bin", "docs/a.md"]

    tree = (await ada.http.get(f"{repo}/tree?recursive=true&limit=1")).json()
    assert [entry["path"] for entry in tree["items"]] == ["b.bin"]
    rest = (await ada.http.get(f"{repo}/tree?recursive=true&cursor={tree['next_cursor']}")).json()
    assert [entry["path"] for entry in rest["items"]] == ["docs/a.md"]
    text = (await ada.http.get(f"{repo}/blob?path=docs/a.md")).json()
    assert (text["encoding"], text["content"], text["size"]) == ("utf-8", "Grüße\n", 8)
    raw = (await ada.http.get(f"{repo}/blob?path=b.bin&ref={body['sha']}")).json()
    assert (raw["encoding"], raw["content"]) == ("base64", binary)
    log = (await ada.http.get(f"{repo}/commits?path=docs")).json()
    assert [entry["sha"] for entry in log["items"]] == [body["sha"]]
    diff = (await ada.http.get(f"{repo}/diff?base={body['parents'][0]}&head=main")).json()
    assert [file["status"] for file in diff["files"]] == ["deleted", "added", "added"]


async def test_history_pages_without_a_gap(ada: Person, repo: str) -> None:
    for n in range(4):
        await commit(ada, repo, [{"path": "n", "content": str(n)}])
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await ada.http.get(f"{repo}/commits?limit=2{cursor}")).json()
        seen += [entry["sha"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 5


async def test_a_commit_on_a_moved_branch_is_refused(ada: Person, repo: str) -> None:
    head = (await ada.http.get(repo)).json()["head"]
    first = await commit(ada, repo, [{"path": "a", "content": "1"}], expected_head=head)
    second = await commit(ada, repo, [{"path": "a", "content": "2"}], expected_head=head)
    assert (second.status_code, second.json()["code"]) == (409, "head_moved")
    assert second.json()["head"] == first.json()["sha"]


async def test_half_a_character_is_refused(ada: Person, repo: str) -> None:
    body = rb'{"subject": "x", "changes": [{"path": "a", "content": "\ud800"}]}'
    kind = {"content-type": "application/json"}
    answer = await ada.http.post(f"{repo}/commit", content=body, headers=kind)
    assert 400 <= answer.status_code < 500
    assert len((await ada.http.get(f"{repo}/commits")).json()["items"]) == 1


async def test_a_repeated_request_commits_once(ada: Person, repo: str) -> None:
    request = {"subject": "x", "changes": [{"path": "a", "content": "1"}]}
    key = {"Idempotency-Key": "k1"}
    first = await ada.http.post(f"{repo}/commit", json=request, headers=key)
    await commit(ada, repo, [{"path": "a", "content": "2"}])
    again = await ada.http.post(f"{repo}/commit", json=request, headers=key)
    assert again.json() == first.json()
    assert len((await ada.http.get(f"{repo}/commits")).json()["items"]) == 3


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"path": "../x", "content": "1"}, 400, "path_invalid"),
        ({"path": "/etc/x", "content": "1"}, 400, "path_invalid"),
        ({"path": ".git/hooks/x", "content": "1"}, 400, "path_invalid"),
        ({"path": "a\x00b", "content": "1"}, 400, "path_invalid"),
        ({"path": "a", "content": "?", "encoding": "base64"}, 400, "content_invalid"),
        ({"path": "a"}, 422, "invalid_input"),
        ({"path": "a", "content": "1", "delete": True}, 422, "invalid_input"),
    ],
)
async def test_a_bad_change_writes_nothing(
    ada: Person, repo: str, change: dict[str, Any], status: int, code: str
) -> None:
    answer = await commit(ada, repo, [change])
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len((await ada.http.get(f"{repo}/commits")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("blob?path=../../config", 400, "path_invalid"),
        ("blob?path=%2Fetc%2Fpasswd", 400, "path_invalid"),
        ("blob?path=a%00b", 400, "path_invalid"),
        ("blob?path=nope", 404, "path_not_found"),
        ("tree?path=..", 400, "path_invalid"),
        ("tree?ref=--help", 400, "ref_invalid"),
        ("tree?ref=main~1", 400, "ref_invalid"),
        ("tree?ref=nope", 404, "branch_not_found"),
        ("tree?cursor=!!!", 400, "cursor_invalid"),
        ("commits?path=..", 400, "path_invalid"),
        ("commits?ref=" + "0" * 40, 404, "commit_not_found"),
        ("commits?cursor=NQ", 400, "cursor_invalid"),
        ("commits?limit=0", 422, "invalid_input"),
        ("diff?head=a..b", 400, "ref_invalid"),
    ],
)
async def test_a_bad_question_is_a_problem(
    ada: Person, repo: str, query: str, status: int, code: str
) -> None:
    answer = await ada.http.get(f"{repo}/{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_branch_is_proposed_and_merged(ada: Person, repo: str) -> None:
    assert (await ada.http.post(f"{repo}/branch", json={"name": "topic"})).status_code == 201
    await commit(ada, repo, [{"path": "t.md", "content": "1"}], branch="topic")
    pull = {"branch": "topic", "title": "Add t"}
    opened = await ada.http.post(f"{repo}/pull-request", json=pull)
    assert (opened.status_code, opened.json()["number"]) == (201, 1)
    merged = (await ada.http.post(f"{repo}/pull-requests/1/merge")).json()
    assert merged["status"] == "merged"
    assert (await ada.http.get(repo)).json()["head"] == merged["merge_commit"]
    listed = (await ada.http.get(f"{repo}/pull-requests?status=merged")).json()["items"]
    assert [row["number"] for row in listed] == [1]
    branches = (await ada.http.get(f"{repo}/branches")).json()["items"]
    assert [branch["name"] for branch in branches] == ["main", "topic"]


async def test_a_conflicting_merge_names_the_files(ada: Person, repo: str) -> None:
    await ada.http.post(f"{repo}/branch", json={"name": "topic"})
    await commit(ada, repo, [{"path": "t.md", "content": "1\n"}], branch="topic")
    await commit(ada, repo, [{"path": "t.md", "content": "2\n"}])
    await ada.http.post(f"{repo}/pull-request", json={"branch": "topic", "title": "T"})
    answer = await ada.http.post(f"{repo}/pull-requests/1/merge")
    assert (answer.status_code, answer.json()["code"]) == (409, "merge_conflict")
    assert answer.json()["paths"] == ["t.md"]
    shown = (await ada.http.get(f"{repo}/pull-requests/1")).json()
    assert (shown["status"], shown["conflicts"]) == ("open", ["t.md"])

    closed = (await ada.http.post(f"{repo}/pull-requests/1/close")).json()
    assert (await ada.http.post(f"{repo}/pull-requests/1/close")).json() == closed
    shown = (await ada.http.get(f"{repo}/pull-requests/1")).json()
    assert (shown["status"], shown["conflicts"]) == ("closed", [])
    answer = await ada.http.post(f"{repo}/pull-requests/1/merge")
    assert (answer.status_code, answer.json()["code"]) == (409, "pull_request_closed")


async def test_a_merged_pull_request_can_not_be_closed(ada: Person, repo: str) -> None:
    await ada.http.post(f"{repo}/branch", json={"name": "topic"})
    await commit(ada, repo, [{"path": "t.md", "content": "1\n"}], branch="topic")
    await ada.http.post(f"{repo}/pull-request", json={"branch": "topic", "title": "T"})
    assert (await ada.http.get(f"{repo}/pull-requests/1")).json()["conflicts"] == []
    await ada.http.post(f"{repo}/pull-requests/1/merge")
    answer = await ada.http.post(f"{repo}/pull-requests/1/close")
    assert (answer.status_code, answer.json()["code"]) == (409, "pull_request_merged")


async def test_what_is_said_of_a_commit_is_told_with_it_and_with_its_pull_request(
    ada: Person, repo: str, forge: EmbeddedForge
) -> None:
    await ada.http.post(f"{repo}/branch", json={"name": "topic"})
    sha = (await commit(ada, repo, [{"path": "t", "content": "1"}], branch="topic")).json()["sha"]
    await ada.http.post(f"{repo}/pull-request", json={"branch": "topic", "title": "T"})
    nothing: dict[str, Any] = {"state": None, "statuses": []}
    assert (await ada.http.get(f"{repo}/commits/{sha}/status")).json() == nothing
    assert (await ada.http.get(f"{repo}/pull-requests/1")).json()["branch_status"] == nothing

    ref = RepoRef(repo.rpartition("/")[2], ada.user_id, "todo")
    await forge.set_status(ref, sha, CommitStatus("growqr/task", "failure", "make: exit code 2"))
    await forge.set_status(ref, sha, CommitStatus("ci", "success", "", "http://x.test/1"))
    told = (await ada.http.get(f"{repo}/commits/{sha}/status")).json()
    assert told["state"] == "failure"
    assert [(row["context"], row["state"], row["target_url"]) for row in told["statuses"]] == [
        ("ci", "success", "http://x.test/1"),
        ("growqr/task", "failure", None),
    ]
    assert (await ada.http.get(f"{repo}/pull-requests/1")).json()["branch_status"] == told

    answer = await ada.http.get(f"{repo}/commits/{'0' * 40}/status")
    assert (answer.status_code, answer.json()["code"]) == (404, "commit_not_found")
    for bad in ("main", "A" * 40, sha[:39]):
        answer = await ada.http.get(f"{repo}/commits/{bad}/status")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_what_was_written_since_the_base_is_merged(ada: Person, repo: str) -> None:
    lines = [f"{n}\n" for n in range(9)]
    read = (await commit(ada, repo, [{"path": "t.md", "content": "".join(lines)}])).json()
    await commit(ada, repo, [{"path": "t.md", "content": "".join(["first\n", *lines[1:]])}])
    mine = [{"path": "t.md", "content": "".join([*lines[:-1], "last\n"])}]
    await commit(ada, repo, mine, base=read["sha"])
    merged = (await ada.http.get(f"{repo}/blob?path=t.md")).json()["content"]
    assert merged == "".join(["first\n", *lines[1:-1], "last\n"])
    body = {"subject": "x", "changes": [{"path": "t.md", "content": "other\n"}]}
    answer = await ada.http.post(f"{repo}/commit", json={**body, "base": read["sha"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "merge_conflict")
    assert answer.json()["paths"] == ["t.md"]
    kept = await ada.http.get(f"{repo}/blob?path=t.md&ref={answer.json()['kept']}")
    assert kept.json()["content"] == "other\n"


async def test_a_token_is_shown_once_and_can_be_revoked(ada: Person, repo: str) -> None:
    answer = await ada.http.post(f"{repo}/tokens", json={"scope": "write", "expires_in_days": 1})
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert (token["username"], token["scope"]) == ("grow", "write")
    listed = await ada.http.get(f"{repo}/tokens")
    assert [row["id"] for row in listed.json()["items"]] == [token["id"]]
    assert token["token"] not in listed.text
    assert (await ada.http.delete(f"{repo}/tokens/{token['id']}")).status_code == 204
    assert (await ada.http.delete(f"{repo}/tokens/{token['id']}")).status_code == 404


async def test_a_deploy_key_must_be_one(ada: Person, repo: str) -> None:
    key = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()
    body = {"title": "laptop", "public_key": f"ssh-ed25519 {key} me@laptop"}
    made = await ada.http.post(f"{repo}/deploy-keys", json=body)
    assert (made.status_code, made.json()["read_only"]) == (201, True)
    refused = await ada.http.post(f"{repo}/deploy-keys", json={**body, "public_key": "ssh-rsa x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "deploy_key_invalid")
    assert len((await ada.http.get(f"{repo}/deploy-keys")).json()["items"]) == 1
    key = f"{repo}/deploy-keys/{made.json()['id']}"
    assert (await ada.http.delete(key)).status_code == 204
    assert (await ada.http.delete(key)).status_code == 404
    assert (await ada.http.get(f"{repo}/deploy-keys")).json()["items"] == []


async def test_another_ones_repository_is_not_there(bob: Person, repo: str, ada: Person) -> None:
    for path in ("", "/tree", "/commits", "/branches", "/tokens", "/deploy-keys"):
        assert (await bob.http.get(repo + path)).status_code == 404
    assert (await commit(bob, repo, [{"path": "a", "content": "1"}])).status_code == 404
    assert (await bob.http.post(f"/git/users/{ada.user_id}/repo")).status_code == 404
