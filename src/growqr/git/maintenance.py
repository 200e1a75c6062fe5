"""Keeping a repository that is written commit by commit small and fast to read.

Every commit of ours leaves a dozen loose objects. When many have gathered, they are packed into
packs whose sizes form a geometric row, so that each object is packed again only a few times in
the repository's life, with one index over all packs and a graph of the commits.

Nothing is ever thrown away here, also not what no branch leads to: a commit that is being built
right now looks just like that. So writers and readers go on meanwhile, and a process killed
anywhere in it leaves a whole repository and some files that the next run clears away.
"""

import fcntl
import glob
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import structlog

from growqr.git.program import git_environment

EACH_WRITES = 50
"""Writes of one repository after which its loose objects are counted."""
MOST_LOOSE = 2_000
"""Loose objects that may gather; a commit reads them as fast up to about there."""
MOST_PACKS = 50
"""Packs that may gather: one for each larger push."""
MAX_SECONDS = 900
_SAMPLE = "17"
"""Objects spread evenly over 256 folders: counting one tells of all, as `git gc --auto` does."""
_OLD_SECONDS = 24 * 3600.0
"""Age at which a temporary file belongs to nobody any more: far longer than a push may take."""
_STEPS = (
    ("repack", "-d", "-l", "-q", "--geometric=2", "--write-midx"),
    ("commit-graph", "write", "--reachable", "--no-progress"),
)
_LOCKS = ("pack/multi-pack-index.lock", "info/commit-graph.lock")
"""Lock files of the steps. Only one who holds `maintenance_lock` makes them."""

_log = structlog.get_logger(__name__)


class Maintenance:
    """Runs in the background, one repository at a time. Close it when done."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="git-maintenance")
        self._writes: Counter[Path] = Counter()
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        """End it now; what is half done is of no harm."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill(self._process)
        self._thread.shutdown(cancel_futures=True)

    def wrote(self, repository: Path) -> None:
        """Note a write or a push; now and then this looks whether there is something to do."""
        self._writes[repository] += 1
        if self._writes[repository] >= EACH_WRITES:
            del self._writes[repository]
            with self._lock:
                if not self._closed:
                    self._thread.submit(self._look, repository)

    def _look(self, repository: Path) -> None:
        packs = sum(1 for _ in (repository / "objects" / "pack").glob("*.pack"))
        if loose_objects(repository) > MOST_LOOSE or packs > MOST_PACKS:
            self.run(repository)

    def run(self, repository: Path) -> bool:
        """Pack the loose objects. Blocks. False: somebody else is at it, or it did not work out."""
        began = time.monotonic()
        try:
            with maintenance_lock(repository) as held:
                if held is None:
                    return False
                clear_leftovers(repository)
                done = all(self._git(repository, step, held) for step in _STEPS)
        except OSError:
            _log.warning("git.maintenance_failed", repository=repository.name, exc_info=True)
            return False
        if done:
            seconds = round(time.monotonic() - began, 3)
            _log.info("git.maintained", repository=repository.name, seconds=seconds)
        return done

    def _git(self, repository: Path, step: tuple[str, ...], held: int) -> bool:
        with self._lock:
            if self._closed:
                return False
            # The child keeps the lock, should this process be killed.
            self._process = _start(repository, step, held)
        process = self._process
        try:
            _, said = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(process)
            _, said = process.communicate()
        finally:
            with self._lock:
                self._process = None
        if process.returncode and not self._closed:
            reason = said.decode(errors="replace")[:300]
            _log.warning("git.maintenance_failed", repository=repository.name, reason=reason)
        return process.returncode == 0


def loose_objects(repository: Path) -> int:
    """About how many objects are files of their own."""
    try:
        return sum(256 for _ in (repository / "objects" / _SAMPLE).iterdir())
    except FileNotFoundError:
        return 0


@contextmanager
def maintenance_lock(repository: Path) -> Iterator[int | None]:
    """Hold the right to maintain the repository, across processes; None: another has it."""
    descriptor = os.open(repository / "growqr.maintenance.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = False
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        yield descriptor if held else None
    finally:
        os.close(descriptor)


def clear_leftovers(repository: Path) -> None:
    """Remove what killed processes left; the caller holds `maintenance_lock`."""
    objects = repository / "objects"
    for name in _LOCKS:
        (objects / name).unlink(missing_ok=True)
    old = time.time() - _OLD_SECONDS
    for pattern in ("pack/tmp_*", "pack/.tmp-*", "??/tmp_obj_*", "tmp_objdir-*"):
        for name in glob.iglob(pattern, root_dir=objects):  # of folders that may go meanwhile
            path = objects / name
            with suppress(FileNotFoundError):
                if path.stat().st_mtime > old:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _start(repository: Path, step: tuple[str, ...], held: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["git", "--git-dir", str(repository), *step],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=git_environment(repository, {"pack.threads": "1"}),
        pass_fds=(held,),
        start_new_session=True,  # its children end with it
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
