"""Searching 10,000 memory files: the first time, again, and right after a commit."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.commit import REPO, WHO
from benchmarks.report import Result
from growqr.agents.memory import Memory
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Change
from growqr.settings import GitSettings

FILES = 10_000
COUNT = 200
_AT_ONCE = 500
_WORDS = 5_000


def run() -> list[Result]:
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        forge = EmbeddedForge(Path(folder) / "git", GitSettings())
        try:
            await forge.create(REPO)
            commits = CommitService(forge, GitSettings())
            await _fill(commits)
            memory = Memory(forge, commits, Path(folder) / "cache")
            again = Memory(forge, commits, Path(folder) / "cache")
            chosen = random.Random(7)

            async def search(_: int) -> None:
                hits = await memory.search(REPO, " ".join(_words(chosen, 2)))
                assert hits

            async def search_new(number: int) -> None:
                draft = memory.draft(REPO, WHO, await forge.head(REPO) or "")
                await draft.remember(f"new-{number}", f"novelty{number} here", "said so")
                await memory.commit(draft, draft.writes, f"new-{number}")
                began = time.perf_counter()
                (hit,) = await memory.search(REPO, f"novelty{number}")
                after.append((time.perf_counter() - began) * 1000)
                assert hit.path == f"memory/new-{number}.md"

            after: list[float] = []
            first = await _times(search, 1)
            known = await _times(search, COUNT)
            await _times(search_new, 20)
            opened = await _times(lambda _: again.search(REPO, "w1"), 1)
            then = datetime.now(UTC)
            past = await _times(lambda _: memory.search(REPO, "w1", 10, then), 1)
            told = await _times(lambda _: memory.context(REPO), COUNT)
            label = f"{FILES:,} files"
            return [
                Result(f"{label}: first search, builds the index", first),
                Result(f"{label}: search", known),
                Result(f"{label}: first search after a commit", after),
                Result(f"{label}: what a turn is told", told),
                Result(f"{label}: first search of a new process", opened),
                Result(f"{label}: first search of a past day", past),
            ]
        finally:
            forge.close()


async def _fill(commits: CommitService) -> None:
    chosen = random.Random(1)
    for start in range(0, FILES, _AT_ONCE):
        changes = [_fact(n, chosen) for n in range(start, start + _AT_ONCE)]
        await commits.commit(
            REPO,
            actor=WHO,
            kind="write",
            scope="bench",
            what=str(start),
            changes=changes,
            operation=f"fill:{start}",
        )


def _fact(number: int, chosen: random.Random) -> Change:
    text = f"---\nkind: memory\n---\n\n# Fact {number}\n\n{' '.join(_words(chosen, 60))}\n"
    return Change(f"memory/{number % 100}/{number}.md", text.encode())


def _words(chosen: random.Random, count: int) -> list[str]:
    """Words as people use them: few of them often."""
    return [f"w{int(chosen.paretovariate(0.7)) % _WORDS}" for _ in range(count)]


async def _times(call: Callable[[int], Awaitable[object]], count: int) -> list[float]:
    times: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        await call(number)
        times.append((time.perf_counter() - began) * 1000)
    return times
