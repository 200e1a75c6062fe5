"""Memory and process limits for one sandbox through control groups, version 1 or 2."""

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_ESSENTIAL = {
    "memory": {"memory.max", "memory.limit_in_bytes"},
    "processes": {"pids.max"},
}


@dataclass(frozen=True)
class Cgroups:
    """The groups made for one sandbox; empty when the host gives none."""

    folders: Sequence[Path]
    missing: Sequence[str] = ()
    """Limits that this host did not take: `memory`, `processes`."""

    @property
    def procs(self) -> list[Path]:
        """Files into which a process writes its pid to join."""
        return [folder / "cgroup.procs" for folder in self.folders]

    async def remove(self) -> None:
        """Remove the groups, as soon as the killed processes have left them."""
        for folder in self.folders:
            for _ in range(200):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        break
                    await asyncio.sleep(0.01)  # the kernel offers no event that v1 and v2 share
                else:
                    break


def make_cgroups(
    name: str, *, memory_bytes: int, max_processes: int, root: Path = _ROOT
) -> Cgroups:
    """Make groups with these limits; as many as this host lets us make, perhaps none."""
    if (root / "cgroup.controllers").exists():
        wanted = {
            root / "growqr" / name: {
                "memory.max": str(memory_bytes),
                "memory.swap.max": "0",
                "pids.max": str(max_processes),
            }
        }
        _enable(root, root / "growqr")
    else:
        wanted = {
            root / "memory" / f"growqr_{name}": {"memory.limit_in_bytes": str(memory_bytes)},
            root / "pids" / f"growqr_{name}": {"pids.max": str(max_processes)},
        }
    made: list[Path] = []
    written: set[str] = set()
    for folder, limits in wanted.items():
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        made.append(folder)
        for file, value in limits.items():
            try:
                (folder / file).write_text(value)
                written.add(file)
            except OSError:
                continue  # a kernel without swap accounting, for one
    missing = [word for word, files in _ESSENTIAL.items() if not written & files]
    return Cgroups(made, missing)


def _enable(*parents: Path) -> None:
    """Let the children of these v2 groups have limits of their own, where we may."""
    for parent in parents:
        try:
            parent.mkdir(exist_ok=True)
            (parent / "cgroup.subtree_control").write_text("+memory +pids")
        except OSError:
            continue
