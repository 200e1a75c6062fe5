"""Names for processes that stay right when the kernel gives their pid to another one."""

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
