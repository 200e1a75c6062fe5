import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from growqr.git import locking
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import (
    BlobNotFound,
    BlobTooLarge,
    BranchExists,
    BranchNotFound,
    Change,
    CommitInfo,
    CommitNotFound,
    ForgeBroken,
    ForgeBusy,
    RepoNotFound,
    RepoRef,
)
from growqr.git.refs import RefInvalid
from tests.git.samples import ANYONE, REPO, git

pytestmark = pytest.mark.anyio


async def write(
    commits: CommitService,
    files: dict[str, bytes | None],
    operation: str,
    *,
    branch: str = "main",
    repo: RepoRef = REPO,
) -> CommitInfo:
    return await commits.commit(
        repo,
        actor=ANYONE,
        kind="write",
        scope="test",
        what=operation,
        changes=[Change(path, data) for path, data in files.items()],
        operation=operation,
        branch=branch,
    )


async def test_create_starts_with_one_commit_and_can_be_raced(forge: EmbeddedForge) -> None:
    await asyncio.gather(*(forge.create(REPO) for _ in range(5)))
    head = await forge.head(REPO)
    await forge.create(REPO)
    assert await forge.head(REPO) == head
    assert {entry.path for entry in await forge.tree(REPO)} == {"README.md", "profile.md"}
    assert [path.name for path in forge.folder.iterdir()] == ["rep_1.git"]
    project = RepoRef("rep_2", "usr_1", "todo")
    await forge.create(project)
    assert await forge.blob(project, "README.md") == b"# todo\n"


async def test_delete_removes_everything_and_can_be_repeated(forge: EmbeddedForge) -> None:
    await forge.create(REPO)
    await forge.delete(REPO)
    await forge.delete(REPO)
    assert list(forge.folder.iterdir()) == []
    with pytest.raises(RepoNotFound):
        await forge.head(REPO)


@pytest.mark.parametrize("repo_id", ["../rep_1", "", "a/b", ".", "rep_1.git/../rep_1", "x" * 65])
async def test_an_id_can_never_be_a_path(forge: EmbeddedForge, repo_id: str) -> None:
    await forge.create(REPO)
    with pytest.raises(RepoNotFound):
        await forge.head(RepoRef(repo_id, "usr_1", "grow"))
    with pytest.raises(RepoNotFound):
        await forge.create(RepoRef(repo_id, "usr_1", "grow"))


async def test_reads_at_branches_and_commits(forge: EmbeddedForge, commits: CommitService) -> None:
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
    forge: EmbeddedForge, commits: CommitService
) -> None:
    await forge.create(REPO)
    for n in range(30):
        await write(commits, {"x": b"%d" % n}, f"op-{n}")
    history = await forge.commits(REPO)
    assert [commit.parents[0] for commit in history[:-1]] == [commit.sha for commit in history[1:]]
    page = await forge.commits(REPO, limit=5, after=history[9].sha)
    assert page == history[10:15]


async def test_what_is_not_there_is_not_found(forge: EmbeddedForge) -> None:
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


async def test_links_are_shown_and_never_followed(forge: EmbeddedForge, tmp_path: Path) -> None:
    await forge.create(REPO)
    copy = tmp_path / "copy"
    await git("clone", str(forge.path(REPO.id)), str(copy))
    (copy / "link").symlink_to("/etc")
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Link", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)
    assert [e.path for e in await forge.tree(REPO, recursive=True) if e.type == "link"] == ["link"]
    with pytest.raises(BlobNotFound):
        await forge.blob(REPO, "link/passwd")
    assert await forge.blob(REPO, "link") == b"/etc"


async def test_a_file_beyond_the_limit_is_not_read(forge: EmbeddedForge, tmp_path: Path) -> None:
    await forge.create(REPO)
    copy = tmp_path / "copy"
    await git("clone", str(forge.path(REPO.id)), str(copy))
    (copy / "big").write_bytes(b"x" * 10_001)
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "Big", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)
    with pytest.raises(BlobTooLarge):
        await forge.blob(REPO, "big")


async def test_diff_shows_what_a_branch_adds(forge: EmbeddedForge, commits: CommitService) -> None:
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


async def test_branches_are_made_once(forge: EmbeddedForge, commits: CommitService) -> None:
    await forge.create(REPO)
    made = await forge.create_branch(REPO, "topic/x", at="main")
    assert await forge.create_branch(REPO, "topic/x", at=made.head) == made
    await write(commits, {"a": b"1"}, "on")
    with pytest.raises(BranchExists):
        await forge.create_branch(REPO, "topic/x", at="main")
    with pytest.raises(BranchNotFound):
        await forge.create_branch(REPO, "y", at="nope")
    assert [branch.name for branch in await forge.branches(REPO)] == ["main", "topic/x"]


async def test_a_lock_left_by_a_killed_push_is_removed_and_a_fresh_one_respected(
    forge: EmbeddedForge, commits: CommitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "REF_LOCK_SECONDS", 0.05)
    await forge.create(REPO)
    lock = forge.path(REPO.id) / "refs/heads/main.lock"
    lock.touch()
    head = await forge.head(REPO)
    with pytest.raises(ForgeBusy):
        await write(commits, {"a": b"1"}, "one")
    assert await forge.head(REPO) == head
    os.utime(lock, (0, 0))
    made = await write(commits, {"a": b"1"}, "one")
    assert await forge.head(REPO) == made.sha


async def test_a_writer_of_another_process_is_waited_for_but_not_forever(
    forge: EmbeddedForge, commits: CommitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "LOCK_SECONDS", 0.05)
    await forge.create(REPO)
    with locking.repository_lock(forge.path(REPO.id)), pytest.raises(ForgeBusy):
        await write(commits, {"a": b"1"}, "one")
    await write(commits, {"a": b"1"}, "one")


async def test_a_damaged_repository_says_so(forge: EmbeddedForge) -> None:
    await forge.create(REPO)
    objects = forge.path(REPO.id) / "objects"
    for path in objects.glob("??/*"):
        path.chmod(0o600)
        path.write_bytes(b"")
    with pytest.raises(ForgeBroken):
        await forge.tree(REPO)
    (forge.path(REPO.id) / "HEAD").unlink()
    with pytest.raises(ForgeBroken):
        await forge.head(REPO)


_WRITER = """
import asyncio, sys
from pathlib import Path
from growqr.git.embedded import EmbeddedForge
from growqr.git.commits import CommitService
from growqr.settings import GitSettings
from tests.git.samples import ANYONE, REPO
from growqr.git.forge import Change

async def main(folder, start):
    forge = EmbeddedForge(Path(folder), GitSettings())
    commits = CommitService(forge, GitSettings())
    for n in range(start, 10**9):
        files = [Change(f"f/{n % 7}/{i}.md", f"{n}".encode()) for i in range(10)]
        await commits.commit(REPO, actor=ANYONE, kind="write", scope="x", what=str(n),
                             changes=files, operation=f"op-{n}")
        print(n, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_a_killed_writer_loses_nothing_it_had_finished(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    await forge.create(REPO)
    done = 0
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _WRITER, str(forge.folder), str(done)),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        for _ in range(15):
            done = int(await process.stdout.readline()) + 1
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
        done = int(rest.split()[-1]) + 1 if rest.endswith(b"\n") and rest.split() else done
        await process.wait()
    await git("--git-dir", str(forge.path(REPO.id)), "fsck", "--strict", "--no-dangling")
    history = {commit.trailers.get("Operation") for commit in await forge.commits(REPO, limit=999)}
    assert {f"op-{n}" for n in range(done)} <= history
    assert (await write(commits, {"after": b"1"}, "after")).paths == ("after",)
