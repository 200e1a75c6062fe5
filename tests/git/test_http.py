import base64
import glob
import gzip
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from growqr.git.commits import CommitService
from growqr.git.forge import Change, Forge
from growqr.git.hosting import Hosting
from growqr.git.http import GitHttp
from growqr.settings import GitSettings
from tests.git.conftest import authenticate, url
from tests.git.samples import ANYONE, REPO, git

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings() -> GitSettings:
    return GitSettings(max_push_bytes=200_000)


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://{address}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        yield client


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"grow:{token}".encode()).decode()}


async def test_clone_push_and_see_the_other_sides_commits(
    address: str, forge: Forge, commits: CommitService, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    assert "Your Grow repository" in (copy / "README.md").read_text()

    (copy / "notes.md").write_text("by hand\n" + "x" * 50_000)
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Write notes", cwd=copy)
    await git("push", "origin", "HEAD:main", "HEAD:topic", cwd=copy)
    assert (await forge.blob(REPO, "notes.md")).startswith(b"by hand")
    assert [branch.name for branch in await forge.branches(REPO)] == ["main", "topic"]

    await commits.commit(
        REPO,
        actor=ANYONE,
        kind="write",
        scope="memory",
        what="after the push",
        changes=[Change("memory/x.md", b"agent\n")],
        operation="op",
    )
    await git("pull", "origin", "main", cwd=copy)
    assert (copy / "memory/x.md").read_text() == "agent\n"
    fsck = await git("fsck", "--strict", "--no-dangling", cwd=copy)
    assert "error" not in fsck


async def test_rewriting_or_deleting_history_is_refused(
    address: str, forge: Forge, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    head = await forge.head(REPO)
    await git("commit", "--amend", "-m", "Another past", cwd=copy)
    for refused in (["--force", "origin", "HEAD:main"], ["origin", ":main"]):
        with pytest.raises(subprocess.CalledProcessError) as caught:
            await git("push", *refused, cwd=copy)
        assert "rejected" in caught.value.output
    assert await forge.head(REPO) == head


async def test_pushes_that_are_too_large_or_malicious_are_refused(
    address: str, forge: Forge, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    head = await forge.head(REPO)
    (copy / "big.bin").write_bytes(os.urandom(1_400_000))
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Too much", cwd=copy)
    with pytest.raises(subprocess.CalledProcessError):
        await git("push", "origin", "HEAD:main", cwd=copy)

    blob = (await git("hash-object", "-w", "README.md", cwd=copy)).strip()
    tree = await git("mktree", cwd=copy, stdin=f"100644 blob {blob}\t.git\n".encode())
    evil = (await git("commit-tree", tree.strip(), "-m", "x", cwd=copy)).strip()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await git("push", "origin", f"{evil}:refs/heads/evil", cwd=copy)
    assert "hasDotgit" in caught.value.output
    assert [branch.name for branch in await forge.branches(REPO)] == ["main"]
    assert await forge.head(REPO) == head


async def test_a_reader_may_clone_but_not_push(address: str, forge: Forge, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address, "reader"), str(copy))
    await git("commit", "--allow-empty", "-m", "Mine", cwd=copy)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        await git("push", "origin", "HEAD:main", cwd=copy)
    assert "may read, not push" in caught.value.output
    assert len(await forge.commits(REPO)) == 1


@pytest.mark.parametrize(
    ("token", "repo_id", "status"),
    [
        (None, REPO.id, 401),
        (None, "rep_2", 401),
        ("wrong", REPO.id, 401),
        ("wrong", "rep_2", 401),
        ("strange", REPO.id, 404),
        ("writer", "rep_2", 404),
        ("writer", "rep_gone", 404),
    ],
)
async def test_who_has_no_token_learns_nothing(
    client: httpx.AsyncClient, token: str | None, repo_id: str, status: int
) -> None:
    answer = await client.get(
        f"/git/{repo_id}/grow.git/info/refs?service=git-upload-pack",
        headers=basic(token) if token else {},
    )
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "path",
    [
        "/git/rep_1/grow.git/HEAD",
        "/git/rep_1/grow.git/config",
        "/git/rep_1/grow.git/info/refs",
        "/git/rep_1/grow.git/info/refs?service=git-upload-archive",
        "/git/rep_1/grow.git/info/refs?service=git-upload-pack&x=1",
        "/git/rep_1/grow.git/objects/info/packs",
        "/git/%2e%2e/grow.git/info/refs?service=git-upload-pack",
        "/git/rep_1%2f../grow.git/info/refs?service=git-upload-pack",
        "/git/rep_1/..%2f..%2fx.git/info/refs?service=git-upload-pack",
        "/git/rep_1/grow.git/../../x.git/info/refs?service=git-upload-pack",
    ],
)
async def test_other_paths_do_not_exist(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers=basic("writer"))).status_code == 404


async def test_requests_that_are_not_git_are_refused(client: httpx.AsyncClient) -> None:
    push = "/git/rep_1/grow.git/git-receive-pack"
    fetch = "/git/rep_1/grow.git/git-upload-pack"
    kind = {"Content-Type": "application/x-git-upload-pack-request", **basic("writer")}
    assert (await client.get(fetch, headers=kind)).status_code == 405
    assert (await client.post(fetch, headers=basic("writer"), content=b"0000")).status_code == 415
    bomb = gzip.compress(b"0" * 20_000_000)
    zipped = {**kind, "Content-Encoding": "gzip"}
    assert (await client.post(fetch, headers=zipped, content=bomb)).status_code == 413
    assert (await client.post(fetch, headers=zipped, content=b"not gzip")).status_code == 400
    kind["Content-Type"] = "application/x-git-receive-pack-request"
    large = await client.post(push, headers=kind, content=b"0" * 1_300_000)
    assert large.status_code == 413


async def test_a_client_that_leaves_takes_git_with_it(
    hosting: Hosting, settings: GitSettings
) -> None:
    forge = hosting.forge
    await forge.create(REPO)
    app = GitHttp(hosting.transport, settings, authenticate)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/git/rep_1/grow.git/git-receive-pack",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/x-git-receive-pack-request"),
            (b"authorization", basic("writer")["Authorization"].encode()),
        ],
    }
    messages = iter([{"type": "http.request", "body": b"00", "more_body": True}])

    async def receive() -> dict[str, object]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: object) -> None:
        raise AssertionError(message)

    await app(scope, receive, send)
    left = ""
    for children in glob.glob("/proc/self/task/*/children"):
        with suppress(OSError):  # of a thread that has ended just now
            left += Path(children).read_text()
    for pid in left.split():
        with suppress(OSError):  # it has ended just now, so it is not left either
            assert "git" not in Path(f"/proc/{pid}/comm").read_text()
    assert len(await forge.branches(REPO)) == 1
