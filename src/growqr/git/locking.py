"""Moving a ref safely while other threads, processes and `git push` do the same."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pygit2

from growqr.git.building import sync_file
from growqr.git.forge import ForgeBroken, ForgeBusy

LOCK_SECONDS = 15.0
"""How long a writer waits for another process to finish its commit."""
REF_LOCK_SECONDS = 3.0
"""How long it then waits for a push to let go of the branch."""
STALE_SECONDS = 30.0
"""Age at which a branch's lock file was left behind by a killed process that is not ours.

`git receive-pack` holds it for the milliseconds of the update, after it has checked the push.
"""
_POLL_SECONDS = 0.005


@contextmanager
def repository_lock(path: Path) -> Iterator[None]:
    """Hold the repository's write lock, across threads and processes; the kernel frees it when
    the process dies. Blocks.

    Raises:
        ForgeBusy: another process kept it for longer than LOCK_SECONDS.
    """
    descriptor = os.open(path / "growqr.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise ForgeBusy("another process is writing this repository; try again")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def move_ref(repo: pygit2.Repository, name: str, old: pygit2.Oid | None, new: pygit2.Oid) -> bool:
    """Point the ref of the full `name` at the commit `new` if it is at `old` (None: does not
    exist), durably. Blocks. The caller holds `repository_lock`.

    Returns False when it is elsewhere; nothing has changed then.

    Raises:
        ForgeBusy: a push holds the ref's lock file.
        ForgeBroken: the ref can't be written.
    """
    shown = name.removeprefix("refs/heads/")
    lock_file = Path(repo.path) / f"{name}.lock"
    deadline = time.monotonic() + REF_LOCK_SECONDS
    while True:
        try:
            moved = _create(repo, name, new) if old is None else _replace(repo, name, old, new)
        except (pygit2.GitError, OSError, KeyError) as error:
            if _removed_as_stale(lock_file):
                continue
            if time.monotonic() > deadline:
                if lock_file.exists():
                    raise ForgeBusy(f"a push is updating `{shown}`; try again") from error
                raise ForgeBroken(f"`{shown}` can't be written") from error
            time.sleep(_POLL_SECONDS)
        else:
            if moved:
                with suppress(FileNotFoundError):  # packed by a `git gc` right now
                    sync_file(Path(repo.path) / name)
            return moved


def _create(repo: pygit2.Repository, name: str, target: pygit2.Oid) -> bool:
    """Make a ref through libgit2, which knows what names are in each other's way."""
    if repo.references.get(name) is not None:
        return False
    repo.references.create(name, target)
    return True


def _replace(repo: pygit2.Repository, name: str, old: pygit2.Oid, new: pygit2.Oid) -> bool:
    """Move a ref as Git does: lock it, look, and rename the lock file to the ref's.

    The lock file is a link to a file whose name only we use (and that no ref can have), so that a
    lock that a killed writer of ours has left is known as such, and is in nobody's way. One made
    by libgit2 would look like a push's.
    """
    ref_file = Path(repo.path) / name
    lock_file, ours = (ref_file.with_name(f"{dot}{ref_file.name}.lock") for dot in ("", "."))
    with suppress(FileNotFoundError):
        if lock_file.samefile(ours):
            lock_file.unlink()
    ours.unlink(missing_ok=True)
    ref_file.parent.mkdir(parents=True, exist_ok=True)  # away when the ref is a packed one
    ours.write_text(f"{new}\n")
    os.link(ours, lock_file)
    try:
        reference = repo.references.get(name)
        moved = reference is not None and reference.resolve().target == old
        if moved:
            lock_file.replace(ref_file)
    except BaseException:
        lock_file.unlink()
        raise
    if not moved:
        lock_file.unlink()
    ours.unlink()
    return moved


def _removed_as_stale(lock_file: Path) -> bool:
    with suppress(FileNotFoundError):
        if time.time() - lock_file.stat().st_mtime > STALE_SECONDS:
            lock_file.unlink()
            return True
    return False
