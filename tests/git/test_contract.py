"""What every forge does, whichever it is; `test_commits` and `test_http` are the rest of it."""

import asyncio
from pathlib import Path

import pytest

from growqr.git.commits import CommitService
from growqr.git.forge import (
    BlobNotFound,
    BlobTooLarge,
    BranchExists,
    BranchNotFound,
    Change,
    CommitNotFound,
    Forge,
    RepoNotFound,
    RepoRef,
)
from growqr.git.refs import RefInvalid
from tests.git.conftest import url
from tests.git.samples import ANYONE, ED25519, PROJECT, REPO, git, write

pytestmark = pytest.mark.anyio


async def test_create_starts_with_one_commit_and_can_be_raced(forge: Forge) -> None:
    await asyncio.gather(*(forge.create(REPO) for _ in range(5)))
    head = await forge.head(REPO)
    await forge.create(REPO)
    assert await forge.head(REPO) == head
    assert {entry.path for entry in await forge.tree(REPO)} == {"README.md", "profile.md"}
    assert len(await forge.commits(REPO)) == 1
    await forge.create(PROJECT)
    assert await forge.blob(PROJECT, "README.md") == b"# todo\n"


async def test_delete_removes_everything_and_can_be_repeated(forge: Forge) -> None:
    await forge.create(REPO)
    await forge.delete(REPO)
    await forge.delete(REPO)
    with pytest.raises(RepoNotFound):
        await forge.head(REPO)


@pytest.mark.parametrize("repo_id", ["../rep_1", "", "a/b", ".", "rep_1.git/../rep_1", "x" * 65])
async def test_an_id_can_never_be_a_path(forge: Forge, repo_id: str) -> None:
    await forge.create(REPO)
    with pytest.raises(RepoNotFound):
        await forge.head(RepoRef(repo_id, "usr_1", "grow"))
    with pytest.raises(RepoNotFound):
        await forge.create(RepoRef(repo_id, "usr_1", "grow"))


async def test_what_changed_is_told_without_reading_the_rest(
    forge: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    first = await write(commits, {"a/x.md": b"1", "b": b"2", "c.md": b"3"}, "one")
    second = await write(commits, {"a/x.md": b"11", "b": None, "b/y.md": b"4"}, "two")
    changes = await forge.changes(REPO, first.sha, second.sha)
    written = {entry.path: entry for entry in changes.written}
    assert {path: (e.type, e.size) for path, e in written.items()} == {
        "a/x.md": ("file", 2),
        "b/y.md": ("file", 1),
    }
    there = {entry.path: entry for entry in await forge.tree(REPO, recursive=True)}
    assert all(there[path] == entry for path, entry in written.items())
    assert changes.gone == ("b",)
    back = await forge.changes(REPO, second.sha, first.sha)
    assert back.gone == ("b/y.md",)
    with pytest.raises(CommitNotFound):
        await forge.changes(REPO, "0" * 40, second.sha)


async def test_reads_at_branches_and_commits(forge: Forge, commits: CommitService) -> None:
    await forge.create(REPO)
    first = await write(commits, {"a/b/x.md": b"1", "a/y.md": b"22"}, "one")
    await write(commits, {"a/b/x.md": b"333", "a/y.md": None}, "two")
    entries = await forge.tree(REPO, path="a", ref=first.sha)
    assert [(entry.path, entry.type, entry.size) for entry in entries] == [
        ("a/b", "dir", 0),
        ("a/y.md", "file", 2),
    ]
    assert await forge.blob(REPO, "a/b/x.md") == b"333"
    assert await forge.blob(REPO, "a/b/x.md", ref=first.sha) == b"1"
    everything = [entry.path for entry in await forge.tree(REPO, recursive=True)]
    assert everything == ["README.md", "a/b/x.md", "profile.md"]
    assert [c.subject for c in await forge.commits(REPO, path="a/y.md")] == [
        "write(test): two",
        "write(test): one",
    ]


async def test_history_goes_from_child_to_parent_within_one_second_too(
    forge: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    for n in range(12):
        await write(commits, {"x": b"%d" % n}, f"op-{n}")
    history = await forge.commits(REPO)
    assert [commit.parents[0] for commit in history[:-1]] == [commit.sha for commit in history[1:]]
    page = await forge.commits(REPO, limit=5, after=history[4].sha)
    assert page == history[5:10]


async def test_what_is_not_there_is_not_found(forge: Forge) -> None:
    await forge.create(REPO)
    for path in ("nope", "README.md/x"):
        with pytest.raises(BlobNotFound):
            await forge.blob(REPO, path)
        with pytest.raises(BlobNotFound):
            await forge.tree(REPO, path=path)
    with pytest.raises(BranchNotFound):
        await forge.tree(REPO, ref="nope")
    with pytest.raises(CommitNotFound):
        await forge.tree(REPO, ref="0" * 40)
    blob = (await forge.tree(REPO))[0].oid
    with pytest.raises(CommitNotFound):
        await forge.commit_info(REPO, blob)
    with pytest.raises(CommitNotFound):
        await forge.commits(REPO, after="0" * 40)
    with pytest.raises(RefInvalid):
        await forge.tree(REPO, ref="main:README.md")


async def test_links_are_shown_and_never_followed(
    forge: Forge, address: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    (copy / "link").symlink_to("/etc")
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Link", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)
    assert [e.path for e in await forge.tree(REPO, recursive=True) if e.type == "link"] == ["link"]
    with pytest.raises(BlobNotFound):
        await forge.blob(REPO, "link/passwd")
    assert await forge.blob(REPO, "link") == b"/etc"


async def test_a_file_beyond_the_limit_is_not_read(
    forge: Forge, address: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    (copy / "big").write_bytes(b"x" * 10_001)
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Big", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)
    with pytest.raises(BlobTooLarge):
        await forge.blob(REPO, "big")


async def test_diff_shows_what_a_branch_adds(forge: Forge, commits: CommitService) -> None:
    await forge.create(REPO)
    base = await write(commits, {"keep.md": b"1\n2\n3\n", "gone.md": b"x\n"}, "base")
    await forge.create_branch(REPO, "topic", at="main")
    changes = {"keep.md": b"1\n2\n4\n", "gone.md": None, "new.bin": b"\0\1"}
    head = await write(commits, changes, "topic", branch="topic")
    await write(commits, {"main-only.md": b"x"}, "main goes on")
    diff = await forge.diff(REPO, "main", "topic")
    assert (diff.base, diff.head, diff.truncated) == (base.sha, head.sha, False)
    assert [(f.path, f.status, f.additions, f.deletions) for f in diff.files] == [
        ("gone.md", "deleted", 0, 1),
        ("keep.md", "modified", 1, 1),
        ("new.bin", "added", 0, 0),
    ]
    assert "-3\n+4\n" in (diff.files[1].patch or "")
    assert diff.files[2].patch is None


async def test_branches_are_made_once(forge: Forge, commits: CommitService) -> None:
    await forge.create(REPO)
    made = await forge.create_branch(REPO, "topic/x", at="main")
    assert await forge.create_branch(REPO, "topic/x", at=made.head) == made
    await write(commits, {"a": b"1"}, "on")
    with pytest.raises(BranchExists):
        await forge.create_branch(REPO, "topic/x", at="main")
    with pytest.raises(BranchNotFound):
        await forge.create_branch(REPO, "y", at="nope")
    assert [branch.name for branch in await forge.branches(REPO)] == ["main", "topic/x"]


@pytest.mark.parametrize(("there", "asked"), [("main", "main/x"), ("a/b/c", "a"), ("a", "a/b/c")])
async def test_a_branch_that_is_in_the_way_is_named(
    forge: Forge, commits: CommitService, there: str, asked: str
) -> None:
    await forge.create(REPO)
    await forge.create_branch(REPO, there, at="main")
    with pytest.raises(BranchExists, match=f"besides the branch `{there}`"):
        await forge.create_branch(REPO, asked, at="main")
    assert await forge.head(REPO, asked) is None
    with pytest.raises(BranchNotFound):
        await forge.tree(REPO, ref=asked)
    with pytest.raises(BranchExists):
        await commits.commit(
            REPO,
            actor=ANYONE,
            kind="write",
            scope="test",
            what="also",
            changes=[Change("also.md", b"1")],
            operation="also",
            also_branch=asked,
        )
    assert await forge.blob(REPO, "also.md") == b"1"


async def test_a_deploy_key_is_taken_and_may_be_given_again(forge: Forge) -> None:
    await forge.create(REPO)
    key = f"ssh-ed25519 {ED25519}"
    for _ in range(2):
        await forge.add_deploy_key(REPO, title="ci", public_key=key, read_only=True)
    for _ in range(2):
        await forge.remove_deploy_key(REPO, public_key=key)
    with pytest.raises(RepoNotFound):
        await forge.add_deploy_key(
            RepoRef("../x", "usr_1", "x"), title="ci", public_key=key, read_only=True
        )
