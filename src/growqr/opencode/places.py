"""Where a workspace lies on the disk, and whose host uid it has.

`<data>/workspaces/<user>/<actor>/` belongs to the platform and holds `ws` and `home`, which
belong to the workspace's host uid, `uid`, which remembers it, and `run.json` while a server
runs. A uid stays with its workspace, so no other workspace ever owns its files.
"""

import contextlib
import glob
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from growqr.opencode.processes import alive, process
from growqr.opencode.stages import remove_stage
from growqr.opencode.types import SandboxUnavailable, WorkspaceSpec

_UIDS = 60_000


@dataclass(frozen=True)
class Place:
    root: Path
    uid: int | None
    """Host uid of everything inside; None: the one of this process, which is not root."""

    @property
    def files(self) -> Path:
        return self.root / "ws"

    @property
    def writable(self) -> list[Path]:
        """What can be written inside: the files and the home."""
        return [self.root / "ws", self.root / "home"]


class Places:
    """All workspaces of one data folder; used by one worker process at a time."""

    def __init__(self, data_dir: Path, first_uid: int) -> None:
        self._root = data_dir.resolve() / "workspaces"
        self._first_uid = first_uid
        self._next_uid: int | None = None

    def prepare(self, spec: WorkspaceSpec) -> Place:
        """Make the folders, or find them; files copied from elsewhere get the right owner."""
        root = self._root / spec.user_id / spec.actor_id
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        root.chmod(0o700)
        uid = self._uid(root) if os.geteuid() == 0 else None
        for name in ("ws", "home"):
            folder = root / name
            folder.mkdir(exist_ok=True, mode=0o700)
            if uid is not None and folder.lstat().st_uid != uid:
                _give(folder, uid)
        return Place(root, uid)

    def record(self, place: Place, pid: int, stage: Path) -> None:
        """Note that `pid` runs this place's server, for whoever comes after our own end."""
        facts = {"worker": process(os.getpid()), "server": process(pid), "stage": str(stage)}
        (place.root / "run.json").write_text(json.dumps(facts))

    def forget(self, place: Place) -> None:
        (place.root / "run.json").unlink(missing_ok=True)

    def remove(self, spec: WorkspaceSpec) -> None:
        """Delete the folders; no link in them is followed."""
        shutil.rmtree(self._root / spec.user_id / spec.actor_id, ignore_errors=True)

    def end_orphans(self) -> int:
        """End the servers that a dead worker left; returns how many ran."""
        ended = 0
        for record in self._each("run.json"):
            try:
                facts = json.loads(record.read_text())
                worker, server = facts["worker"], facts["server"]
                stage = Path(facts["stage"])
            except (OSError, ValueError, KeyError, TypeError):
                record.unlink(missing_ok=True)
                continue
            if worker != process(os.getpid()) and alive(worker):
                continue  # another worker serves this folder
            if alive(server):
                os.kill(server[0], signal.SIGKILL)
                ended += 1
            remove_stage(stage)
            record.unlink(missing_ok=True)
        return ended

    def _each(self, name: str) -> Iterator[Path]:
        """Yield the file of that name of every workspace; others may be removed meanwhile."""
        # pathlib's own glob fails where a folder goes while it looks
        for found in glob.iglob(f"*/*/{name}", root_dir=self._root):
            yield self._root / found

    def _uid(self, root: Path) -> int:
        known = root / "uid"
        if known.exists():
            uid = int(known.read_text())
        else:
            uid = self._new_uid()
            known.write_text(str(uid))
        if uid <= 0:
            raise SandboxUnavailable(f"`{known}` names uid {uid}; remove that file.")
        return uid

    def _new_uid(self) -> int:
        if self._next_uid is None:
            taken = self._first_uid - 1
            for file in self._each("uid"):
                with contextlib.suppress(FileNotFoundError):
                    taken = max(taken, int(file.read_text()))
            self._next_uid = taken + 1
        if self._next_uid >= self._first_uid + _UIDS:
            raise SandboxUnavailable(f"All {_UIDS} host uids for sandboxes are in use.")
        self._next_uid += 1
        return self._next_uid - 1


def _give(top: Path, uid: int) -> None:
    """Give a tree to `uid` without following links; the top comes last, as the mark of done."""
    for _, folders, files, number in os.fwalk(top, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, uid, uid, dir_fd=number, follow_symlinks=False)
    os.chown(top, uid, uid, follow_symlinks=False)
