"""Memory, process and processor limits for one sandbox through control groups, version 1 or 2."""

import asyncio
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_FAMILY = "growqr"
"""The group that holds those of all sandboxes.

Where processors are short they get as much together as the platform: without it, each of them
would get as much. The platform needs far less than that, so it hardly ever waits.
"""
_CPU_PERIOD_US = 100_000  # what both versions take unless told otherwise
_ESSENTIAL = {
    "memory": {"memory.max", "memory.limit_in_bytes"},
    "processes": {"pids.max"},
    "processor time": {"cpu.max", "cpu.cfs_quota_us"},
}


@dataclass(frozen=True)
class Cgroups:
    """The groups made for one sandbox; empty when the host gives none."""

    folders: Sequence[Path]
    missing: Sequence[str] = ()
    """Limits that this host did not take: `memory`, `processes`, `processor time`."""

    def memory_bytes(self) -> int | None:
        """Return what the group holds, without cached files that nobody uses; None: unknown."""
        for folder in self.folders:
            for name in ("memory.current", "memory.usage_in_bytes"):
                try:
                    used = int((folder / name).read_text())
                    lines = (folder / "memory.stat").read_text().splitlines()
                    stats = {key: int(value) for key, value in map(str.split, lines)}
                except (OSError, ValueError):
                    continue
                return max(0, used - stats.get("inactive_file", 0))
        return None

    def out_of_memory(self) -> bool | None:
        """Tell whether the kernel ended something inside for want of memory; None: unknown."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                try:
                    lines = (folder / name).read_text().splitlines()
                except OSError:
                    continue
                return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
        return None

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
    name: str, *, memory_bytes: int, max_processes: int, cpus: float = 0, root: Path = _ROOT
) -> Cgroups:
    """Make groups with these limits; as many as this host lets us make, perhaps none.

    `cpus` is in processors; 0 means no limit.
    """
    quota = int(cpus * _CPU_PERIOD_US)
    if (root / "cgroup.controllers").exists():
        family = root / _FAMILY
        wanted = {
            family / name: {
                "memory.max": str(memory_bytes),
                "memory.swap.max": "0",
                "pids.max": str(max_processes),
                **({"cpu.max": f"{quota} {_CPU_PERIOD_US}"} if quota else {}),
            }
        }
        _enable(root, family)
    else:
        limits: dict[str, dict[str, str]] = {
            "memory": {"memory.limit_in_bytes": str(memory_bytes)},
            "pids": {"pids.max": str(max_processes)},
            "cpu": {"cpu.cfs_quota_us": str(quota)} if quota else {},
        }
        wanted = {root / kind / _FAMILY / name: files for kind, files in limits.items()}
    made: list[Path] = []
    written: set[str] = set()
    for folder, files in wanted.items():
        try:
            folder.parent.mkdir(exist_ok=True)
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        if not os.access(folder, os.W_OK, effective_ids=True):
            continue  # left by a root that ran this workspace before
        made.append(folder)
        for file, text in files.items():
            try:
                (folder / file).write_text(text)
                written.add(file)
            except OSError:
                continue  # a kernel without swap accounting, for one
    asked = [word for word in _ESSENTIAL if quota or word != "processor time"]
    missing = [word for word in asked if not written & _ESSENTIAL[word]]
    return Cgroups(made, missing)


def _enable(*parents: Path) -> None:
    """Let the children of these v2 groups have limits of their own, where we may."""
    for parent in parents:
        for controllers in ("+memory +pids +cpu", "+memory +pids"):  # one missing refuses all
            try:
                parent.mkdir(exist_ok=True)
                (parent / "cgroup.subtree_control").write_text(controllers)
            except OSError:
                continue
            break
