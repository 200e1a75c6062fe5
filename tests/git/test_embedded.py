"""What only the embedded forge has to get right: its own files, locks and crashes."""

import asyncio
import gc
import os
import signal
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pygit2
import pytest
from pygit2.enums import ObjectType

from growqr.git import locking, objects
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import ForgeBroken, ForgeBusy
from growqr.git.reading import opened
from growqr.settings import GitSettings
from tests.git.samples import REPO, git, write

pytestmark = pytest.mark.anyio


@pytest.fixture
def forge(tmp_path: Path, settings: GitSettings) -> Iterator[EmbeddedForge]:
    forge = EmbeddedForge(tmp_path / "git", settings)
    yield forge
    forge.close()


async def test_its_folder_holds_whole_repositories_and_nothing_else(forge: EmbeddedForge) -> None:
    await asyncio.gather(*(forge.create(REPO) for _ in range(5)))
    assert [path.name for path in forge.folder.iterdir()] == ["rep_1.git"]
    await forge.delete(REPO)
    assert list(forge.folder.iterdir()) == []


async def test_a_repository_is_closed_when_the_work_on_it_is_done(forge: EmbeddedForge) -> None:
    def work(git: pygit2.Repository) -> weakref.ref[pygit2.Repository]:
        assert "main" in git.branches.local
        assert objects.resolve(git, "main").tree
        return weakref.ref(git)

    await forge.create(REPO)
    gc.disable()
    try:
        assert opened(forge.path(REPO.id), work)() is None
    finally:
        gc.enable()


async def test_a_lock_left_by_a_killed_push_is_removed_and_a_fresh_one_respected(
    forge: EmbeddedForge, commits: CommitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "REF_LOCK_SECONDS", 0)
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
    monkeypatch.setattr(locking, "LOCK_SECONDS", 0)
    await forge.create(REPO)
    with locking.repository_lock(forge.path(REPO.id)), pytest.raises(ForgeBusy):
        await write(commits, {"a": b"1"}, "one")
    await write(commits, {"a": b"1"}, "one")


class Overtaken:
    """The refs of a repository; somebody else tries to move one as soon as it was read."""

    def __init__(self, git: pygit2.Repository, target: pygit2.Oid) -> None:
        self._git = git
        self._target = target

    def get(self, name: str) -> pygit2.Reference | None:
        found = self._git.references.get(name)
        with pytest.raises(OSError, match="failed to lock"):
            self._git.references.create(name, self._target, force=True)
        return found


async def test_no_push_comes_between_the_look_at_a_branch_and_its_move(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    await forge.create(REPO)
    first = await write(commits, {"a": b"1"}, "one")
    pushed = await write(commits, {"a": b"2"}, "two")
    git = pygit2.Repository(str(forge.path(REPO.id)))
    old, ours = pygit2.Oid(hex=first.parents[0]), pygit2.Oid(hex=first.sha)
    git.references["refs/heads/main"].set_target(old)
    raced = SimpleNamespace(path=git.path, references=Overtaken(git, pygit2.Oid(hex=pushed.sha)))
    assert locking.move_ref(cast("pygit2.Repository", raced), "refs/heads/main", old, ours)
    assert await forge.head(REPO) == first.sha
    assert not locking.move_ref(cast("pygit2.Repository", raced), "refs/heads/main", old, ours)
    git.references["refs/heads/main"].set_target(old)  # nothing is locked any more


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
from growqr.git.reading import opened
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


async def test_a_commit_may_claim_any_time(forge: EmbeddedForge) -> None:
    await forge.create(REPO)
    git = pygit2.Repository(str(forge.path(REPO.id)))
    first = git.references["refs/heads/main"].peel(pygit2.Commit)
    for seconds in (2**40, 0):
        who = f"Ada <ada@example.com> {seconds} +0000"
        head = git.references["refs/heads/main"].target
        text = f"tree {first.tree_id}\nparent {head}\nauthor {who}\ncommitter {who}\n\nWhen?\n"
        made = git.write(ObjectType.COMMIT, text.encode())
        git.references["refs/heads/main"].set_target(made)
    times = [commit.at.year for commit in await forge.commits(REPO)]
    assert times[:2] == [1970, 9999]


async def test_a_writer_killed_while_it_moves_a_branch_is_in_nobodys_way(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    await forge.create(REPO)
    head = await forge.head(REPO)
    killed = "import os, signal\nos.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", killed + _WRITER, str(forge.folder), "0"),
        stdout=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    assert await process.wait() == -signal.SIGKILL
    assert (forge.path(REPO.id) / "refs/heads/main.lock").exists()
    assert await forge.head(REPO) == head
    made = await write(commits, {"a": b"1"}, "one")
    assert (await forge.head(REPO), made.parents) == (made.sha, (head,))
    assert not (forge.path(REPO.id) / "refs/heads/main.lock").exists()


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
