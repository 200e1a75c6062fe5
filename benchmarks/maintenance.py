"""What packing is worth: 50,000 commits that left loose objects only, before and after.

Nothing of ours lets it come so far; it is what years without maintenance would leave.
"""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.commit import LARGE, REPO, by_service, grow
from benchmarks.report import Result
from growqr.git import maintenance
from growqr.git.embedded import EmbeddedForge
from growqr.settings import GitSettings

COUNT = 50


def run() -> list[Result]:
    return asyncio.run(_measure(LARGE))


async def _measure(history: int) -> list[Result]:
    maintenance.EACH_WRITES = 2**31  # only when it is measured
    with tempfile.TemporaryDirectory() as folder:
        forge = EmbeddedForge(Path(folder) / "git", GitSettings())
        try:
            await forge.create(REPO)
            path = forge.path(REPO.id)
            grow(path, history, loose=True)
            results = [_size(path, "before"), *await _rows(forge, "before")]
            began = time.perf_counter()
            assert await asyncio.to_thread(forge.maintenance.run, path)
            results.append(Result("packing it", [(time.perf_counter() - began) * 1000]))
            began = time.perf_counter()
            assert await asyncio.to_thread(forge.maintenance.run, path)
            again = (time.perf_counter() - began) * 1000
            results.append(Result("packing it again at once", [again]))
            return [*results, _size(path, "after"), *await _rows(forge, "after")]
        finally:
            forge.close()


async def _rows(forge: EmbeddedForge, when: str) -> list[Result]:
    commit = by_service(forge)
    calls: dict[str, Callable[[int], Awaitable[object]]] = {
        "commit of 10 files": lambda n: commit(time.monotonic_ns(), 10),
        "newest 50 commits": lambda n: forge.commits(REPO),
        "all files": lambda n: forge.tree(REPO, recursive=True),
        "history of one file": lambda n: forge.commits(REPO, path=f"memory/old/{n % 20}/{n}.md"),
    }
    return [await _times(f"{what}, {when}", call) for what, call in calls.items()]


async def _times(what: str, call: Callable[[int], Awaitable[object]]) -> Result:
    times: list[float] = []
    for number in range(COUNT if "history" not in what else 3):
        began = time.perf_counter()
        await call(number)
        times.append((time.perf_counter() - began) * 1000)
    return Result(what, times)


def _size(path: Path, when: str) -> Result:
    used = subprocess.run(["du", "-sm", str(path)], capture_output=True, text=True, check=True)
    return Result(f"on disk, {when}", [float(used.stdout.split()[0])], unit="MB")
