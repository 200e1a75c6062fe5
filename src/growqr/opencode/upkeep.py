"""Looks after a running server: the disk it fills, and the memory it holds while idle."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

SECONDS = 0.25
"""Between two looks; what a sandbox writes meanwhile can exceed its limit."""
MEMORY_EVERY = 8
"""Looks between two at the memory."""
_COUNT_EVERY = 120
"""Looks between two counts, when the disk's free space does not call for one earlier."""
_STEP_BYTES = 16 << 20
_SESSIONS = ".local/share/opencode"


class DiskWatch:
    """Counts what a workspace holds; a count is dear, so it waits for the disk to fill.

    Nobody can come over the limit before the disk has lost what is left until there.
    """

    def __init__(self, folders: list[Path], limit: int) -> None:
        self._folders = folders
        self._limit = limit
        self._counted_at = 0
        self._left = 0
        self._looks = 0

    def over(self) -> bool:
        """Tell whether the folders hold more than the limit; 0 means that there is none."""
        if not self._limit:
            return False
        disk = os.statvfs(self._folders[0])
        free = disk.f_bavail * disk.f_frsize
        self._looks -= 1
        if self._looks > 0 and self._counted_at - free < max(self._left // 2, _STEP_BYTES):
            return False
        self._counted_at, self._looks = free, _COUNT_EVERY
        self._left = self._limit - used_bytes(self._folders)
        return self._left < 0


def used_bytes(folders: list[Path]) -> int:
    """Return what the folders take on the disk; links are not followed."""
    return sum(facts.st_blocks * 512 for folder in folders for *_, facts in _entries(folder))


def make_room(files: Path, home: Path, *, keep_bytes: int) -> dict[str, int]:
    """Delete what no commit takes anyway: larger files, and what the home keeps of others.

    Returns the deleted paths with their sizes. OpenCode's sessions stay.
    """
    deleted = {}
    for top, sessions in ((files, None), (home, _SESSIONS)):
        for folder, name, number, facts in _entries(top):
            if not stat.S_ISREG(facts.st_mode) or facts.st_blocks * 512 <= keep_bytes:
                continue
            if sessions and folder.startswith(sessions):
                continue
            os.unlink(name, dir_fd=number)
            deleted[f"{folder}/{name}".lstrip("/")] = facts.st_size
    return deleted


def _entries(top: Path) -> Iterator[tuple[str, str, int, os.stat_result]]:
    """Yield folder below `top`, name, open folder and facts of everything that is there."""
    for path, folders, names, number in os.fwalk(top, follow_symlinks=False):
        for name in (*folders, *names):
            try:
                facts = os.stat(name, dir_fd=number, follow_symlinks=False)
            except OSError:
                continue  # it is gone by now
            yield path[len(str(top)) :].lstrip("/"), name, number, facts
