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
"""Age at which a branch's lock file was left behind by a killed process.

Our writers hold the repository's lock while they hold a branch's, so the file is not ours;
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
    exist), durably. Blocks.

    Returns False when it is elsewhere; nothing has changed then.

    Raises:
        ForgeBusy: a push holds the ref's lock file.
        ForgeBroken: the ref can't be written.
    """
    shown = name.removeprefix("refs/heads/")
    lock_file = Path(repo.path) / f"{name}.lock"
    deadline = time.monotonic() + REF_LOCK_SECONDS
    while True:
        # Read once: what is written below is only taken if the ref is still as it was read here.
        reference = repo.references.get(name)
        if (reference.resolve().target if reference is not None else None) != old:
            return False
        try:
            if reference is None:
                repo.references.create(name, new)
            else:
                reference.set_target(new)
        except (pygit2.GitError, OSError, KeyError) as error:
            if time.monotonic() > deadline:
                if lock_file.exists():
                    raise ForgeBusy(f"a push is updating `{shown}`; try again") from error
                raise ForgeBroken(f"`{shown}` can't be written") from error
            _remove_if_stale(lock_file)
            time.sleep(_POLL_SECONDS)
        else:
            with suppress(FileNotFoundError):  # packed by a `git gc` right now
                sync_file(Path(repo.path) / name)
            return True


def _remove_if_stale(lock_file: Path) -> None:
    with suppress(FileNotFoundError):
        if time.time() - lock_file.stat().st_mtime > STALE_SECONDS:
            lock_file.unlink()
