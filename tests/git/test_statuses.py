"""What is said of a commit beside it, on every forge."""

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from growqr.git import locking, status_notes
from growqr.git.bundles import write_bundle
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import BranchNotFound, CommitNotFound, Forge, ForgeBusy
from growqr.git.statuses import CommitStatus, StatusInvalid, overall
from growqr.settings import GitSettings
from tests.git.conftest import url
from tests.git.samples import REPO, git, write

pytestmark = pytest.mark.anyio

GOOD = CommitStatus("growqr/task", "success", "2 commands, none failed", "http://x.test/tasks/1")


async def test_a_status_is_kept_and_the_newest_of_its_context_counts(
    forge: Forge, another: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    made = await write(commits, {"a": b"1"}, "one")
    assert await forge.statuses(REPO, made.sha) == []
    await forge.set_status(REPO, made.sha, replace(GOOD, state="pending"))
    await forge.set_status(REPO, made.sha, GOOD)
    bad = CommitStatus("ci", "failure", "it does not build")
    await forge.set_status(REPO, made.sha, bad)
    for reader in (forge, another):
        assert await reader.statuses(REPO, "main") == [bad, GOOD]
    after = await write(commits, {"a": b"2"}, "two")
    assert await forge.statuses(REPO, after.sha) == []
    assert await forge.head(REPO) == after.sha, "a status moves no branch"


async def test_saying_the_same_again_changes_nothing(
    forge: Forge, another: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    made = await write(commits, {"a": b"1"}, "one")
    await forge.set_status(REPO, made.sha, GOOD)
    [first] = await forge.statuses(REPO, made.sha)
    await forge.set_status(REPO, made.sha, replace(GOOD, at=first.at.replace(year=2040)))
    await another.set_status(REPO, made.sha, GOOD)
    [again] = await forge.statuses(REPO, made.sha)
    assert again.at == first.at


async def test_statuses_set_at_once_are_all_kept(
    forge: Forge, another: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    made = await write(commits, {"a": b"1"}, "one")
    told = [replace(GOOD, context=f"c{n}") for n in range(8)]
    await asyncio.gather(
        *(who.set_status(REPO, made.sha, it) for it in told for who in (forge, another))
    )
    assert await forge.statuses(REPO, made.sha) == told


async def test_what_is_not_there_has_no_status(forge: Forge) -> None:
    await forge.create(REPO)
    for missing, error in (("0" * 40, CommitNotFound), ("nope", BranchNotFound)):
        with pytest.raises(error):
            await forge.statuses(REPO, missing)
    with pytest.raises(CommitNotFound):
        await forge.set_status(REPO, "0" * 40, GOOD)


@pytest.mark.parametrize(
    "wrong",
    [
        {"context": "Growqr task"},
        {"context": "x" * 65},
        {"state": "fine"},
        {"description": "two\nlines"},
        {"description": "x" * 201},
        {"target_url": "javascript:alert(1)"},
        {"target_url": "http://x.test/" + "x" * 500},
    ],
)
async def test_what_no_status_may_say_is_refused(forge: Forge, wrong: dict[str, Any]) -> None:
    await forge.create(REPO)
    with pytest.raises(StatusInvalid):
        await forge.set_status(REPO, str(await forge.head(REPO)), replace(GOOD, **wrong))


def test_the_worst_status_is_that_of_the_commit() -> None:
    assert overall([]) is None
    assert overall([GOOD, replace(GOOD, state="pending")]) == "pending"
    assert overall([GOOD, replace(GOOD, state="failure"), replace(GOOD, state="error")]) == "error"
    assert overall([GOOD, GOOD]) == "success"


# On the embedded forge a status is a Git note.

only_embedded = pytest.mark.parametrize("provider", ["embedded"], indirect=True)


@pytest.fixture
def embedded(forge: Forge) -> EmbeddedForge:
    assert isinstance(forge, EmbeddedForge)
    return forge


@only_embedded
async def test_a_push_can_not_write_a_status(
    embedded: EmbeddedForge, address: str, tmp_path: Path
) -> None:
    head = str(await embedded.head(REPO))
    await embedded.set_status(REPO, head, replace(GOOD, state="failure"))
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    await git("fetch", "origin", "refs/notes/*:refs/notes/*", cwd=copy)
    shown = await git("log", "--notes=growqr/status", cwd=copy)
    assert '"state":"failure"' in shown, "a person sees it in a clone"
    note = ["notes", "--ref=growqr/status", "add", "-f", "-m", '{"state":"success"}', "HEAD"]
    await git(*note, cwd=copy)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        await git("push", "origin", status_notes.REF, cwd=copy)
    assert "hidden ref" in refused.value.output
    [kept] = await embedded.statuses(REPO, head)
    assert kept.state == "failure"


@only_embedded
async def test_statuses_are_in_a_backup_and_break_no_repository(
    embedded: EmbeddedForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedded.create(REPO)
    head = str(await embedded.head(REPO))
    await embedded.set_status(REPO, head, GOOD)
    path = embedded.path(REPO.id)
    await git("--git-dir", str(path), "fsck", "--strict", "--no-dangling")
    assert embedded.maintenance.run(path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path))  # as in a hook of somebody else's repository
    write_bundle(path, tmp_path / "bundle")
    other = EmbeddedForge(tmp_path / "other", GitSettings())
    await git("clone", "--mirror", str(tmp_path / "bundle"), str(other.path(REPO.id)))
    assert await other.statuses(REPO, head) == [GOOD]
    other.close()


@only_embedded
async def test_a_lock_left_by_a_killed_process_does_not_end_all_statuses(
    embedded: EmbeddedForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "REF_LOCK_SECONDS", 0)
    await embedded.create(REPO)
    head = str(await embedded.head(REPO))
    lock = embedded.path(REPO.id) / f"{status_notes.REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(ForgeBusy):
        await embedded.set_status(REPO, head, GOOD)
    os.utime(lock, (0, 0))
    await embedded.set_status(REPO, head, GOOD)
    assert await embedded.statuses(REPO, head) == [GOOD]


@only_embedded
async def test_a_note_that_is_no_status_is_left_out(embedded: EmbeddedForge) -> None:
    await embedded.create(REPO)
    head = str(await embedded.head(REPO))
    git_dir = ("--git-dir", str(embedded.path(REPO.id)))
    text = 'hello\n{"context":"A B","state":"success","description":""}\n{"state":"success"}\n'
    await git(*git_dir, "notes", "--ref=growqr/status", "add", "-m", text, head)
    assert await embedded.statuses(REPO, head) == []
    await embedded.set_status(REPO, head, GOOD)
    assert await embedded.statuses(REPO, head) == [GOOD]
