"""Packing what many commits leave, while others write, and when it is killed."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from growqr.git import maintenance
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.maintenance import clear_leftovers, maintenance_lock
from growqr.settings import GitSettings
from tests.git.samples import REPO, git, write

pytestmark = pytest.mark.anyio


@pytest.fixture
async def forge(tmp_path: Path, settings: GitSettings) -> AsyncIterator[EmbeddedForge]:
    forge = EmbeddedForge(tmp_path / "git", settings)
    await forge.create(REPO)
    yield forge
    forge.close()


async def write_many(commits: CommitService, first: int, count: int) -> list[str]:
    made = []
    for n in range(first, first + count):
        files: dict[str, bytes | None] = {f"memory/{i}/{n}.md": f"{n}\n".encode() for i in range(4)}
        made.append((await write(commits, files, f"op-{n}")).sha)
    return made


def files_of(repository: Path) -> set[str]:
    """Every file below `objects`, also while git makes and removes folders there."""
    objects = repository / "objects"
    found = (Path(folder, name) for folder, _, names in os.walk(objects) for name in names)
    return {str(path.relative_to(objects)) for path in found}


async def all_there(forge: EmbeddedForge, made: list[str]) -> None:
    history = [commit.sha for commit in await forge.commits(REPO, limit=9_999)]
    assert history[:-1] == made[::-1]
    checked = await git("--git-dir", str(forge.path(REPO.id)), "fsck", "--strict", "--no-dangling")
    assert "error" not in checked


async def test_loose_objects_become_packs_by_themselves(
    forge: EmbeddedForge, commits: CommitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "EACH_WRITES", 10)
    monkeypatch.setattr(maintenance, "MOST_LOOSE", -1)
    made = await write_many(commits, 0, 30)
    at_work = forge.maintenance._thread.submit(lambda: None)
    await asyncio.wrap_future(at_work)  # behind what was begun
    files = files_of(forge.path(REPO.id))
    assert any(name.endswith(".pack") for name in files)
    await all_there(forge, made)


async def test_everything_is_packed_once_with_an_index_and_a_graph(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    made = await write_many(commits, 0, 40)
    assert await asyncio.to_thread(forge.maintenance.run, forge.path(REPO.id))
    files = files_of(forge.path(REPO.id))
    assert {"pack/multi-pack-index", "info/commit-graph"} <= files
    assert not [name for name in files if len(name.split("/")[0]) == 2]
    await all_there(forge, made)
    made += await write_many(commits, 40, 3)
    await all_there(forge, made)


async def test_what_no_branch_leads_to_is_kept(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    path = forge.path(REPO.id)
    blob = (await git("--git-dir", str(path), "hash-object", "-w", "--stdin", stdin=b"x")).strip()
    await write_many(commits, 0, 5)
    assert await asyncio.to_thread(forge.maintenance.run, path)
    assert await git("--git-dir", str(path), "cat-file", "-p", blob) == "x"


async def test_writers_go_on_meanwhile(forge: EmbeddedForge, commits: CommitService) -> None:
    path = forge.path(REPO.id)
    made = await write_many(commits, 0, 10)
    for start in range(10, 50, 10):
        done, more = await asyncio.gather(
            asyncio.to_thread(forge.maintenance.run, path), write_many(commits, start, 10)
        )
        assert done
        made += more
    await all_there(forge, made)


async def test_killed_anywhere_it_leaves_a_whole_repository_that_can_be_packed(
    forge: EmbeddedForge, commits: CommitService, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = forge.path(REPO.id)
    made = await write_many(commits, 0, 20)
    start = maintenance._start

    def soon_killed(repository: Path, step: tuple[str, ...], held: int) -> subprocess.Popen[bytes]:
        process = start(repository, step, held)
        # Wherever it is after so many files have come or gone.
        seen, changes = files_of(repository), 0
        while process.poll() is None and changes < wanted:
            now = files_of(repository)
            changes, seen = changes + (now != seen), now
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        return process

    monkeypatch.setattr(maintenance, "_start", soon_killed)
    for wanted in range(6):
        await asyncio.to_thread(forge.maintenance.run, path)
        await all_there(forge, made)
        made += await write_many(commits, 100 * (wanted + 1), 3)
    for name in maintenance._LOCKS:
        (path / "objects" / name).touch()  # left by a process killed at the worst moment
    monkeypatch.setattr(maintenance, "_start", start)
    assert await asyncio.to_thread(forge.maintenance.run, path)
    assert not [name for name in files_of(path) if name.endswith(".lock")]
    await all_there(forge, made)


async def test_folders_of_objects_may_go_while_leftovers_are_looked_for(
    forge: EmbeddedForge,
) -> None:
    path = forge.path(REPO.id)
    folders = [path / "objects" / f"{number:02x}" for number in range(32)]
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for folder in folders:
                folder.mkdir(exist_ok=True)
            for folder in folders:
                with suppress(OSError):  # the first commit's objects are in some
                    folder.rmdir()

    with ThreadPoolExecutor() as threads:
        going = threads.submit(come_and_go)
        try:
            for _ in range(200):
                clear_leftovers(path)
        finally:
            over.set()
        going.result()


async def test_one_at_a_time_and_old_leftovers_go(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    path = forge.path(REPO.id)
    await write_many(commits, 0, 2)
    with maintenance_lock(path) as held:
        assert held is not None
        assert not await asyncio.to_thread(forge.maintenance.run, path)
    old, fresh = path / "objects/pack/tmp_pack_old", path / "objects/pack/tmp_pack_fresh"
    quarantine = path / "objects/tmp_objdir-incoming-x"
    quarantine.mkdir()
    for file in (old, fresh):
        file.touch()
    for stale in (old, quarantine):
        os.utime(stale, (0, 0))
    assert await asyncio.to_thread(forge.maintenance.run, path)
    assert not old.exists()
    assert not quarantine.exists()
    assert fresh.exists()


async def test_closing_ends_it_and_nothing_begins_afterwards(
    forge: EmbeddedForge, commits: CommitService
) -> None:
    await write_many(commits, 0, 2)
    forge.maintenance.close()
    assert not await asyncio.to_thread(forge.maintenance.run, forge.path(REPO.id))
    for _ in range(maintenance.EACH_WRITES):
        forge.maintenance.wrote(forge.path(REPO.id))
