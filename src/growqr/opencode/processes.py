"""Names for processes that stay right when the kernel gives their pid to another one."""

import asyncio
import os
from pathlib import Path


def process(pid: int) -> list[int]:
    """Return pid and start time, which together name a process until the host restarts."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [pid, 0]
    return [pid, int(text.rpartition(")")[2].split()[19])]


def alive(named: list[int]) -> bool:
    return named[1] > 0 and process(named[0]) == named


async def process_end(pid: int) -> None:
    """Wait until this process has ended; it need not be a child of ours."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(number, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(number)
        os.close(number)
