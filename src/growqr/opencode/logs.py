"""A workspace's log: the last lines in memory, more of them in a file, both bounded."""

import re
from collections import deque
from logging import makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from growqr.events import now
from growqr.opencode.types import LogLine

_LINES = 2000
_LINE_CHARS = 2000
_MOST_CHARS = 256 * 1024
"""Of all lines in memory, which are kept for each workspace that this worker has ever run."""
_FILE_BYTES = 1024 * 1024
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


def log_file(data_dir: Path, workspace_id: str) -> Path:
    """Return where a workspace's log is; a second file beside it holds what came before."""
    return data_dir / "logs" / "workspaces" / f"{workspace_id}.log"


def delete_log(data_dir: Path, workspace_id: str) -> None:
    """Delete both files."""
    file = log_file(data_dir, workspace_id)
    for path in (file, file.with_name(f"{file.name}.1")):
        path.unlink(missing_ok=True)


class WorkspaceLog:
    """Lines of one workspace; nothing that goes in may hold a secret."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lines: deque[LogLine] = deque()
        self._chars = 0
        self._file = RotatingFileHandler(
            file, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True
        )
        self._seq = 0

    def add(self, text: str, stream: Literal["server", "platform"] = "platform") -> None:
        """Add a line; control characters go, a long line is cut."""
        self._seq += 1
        line = LogLine(self._seq, now(), stream, _CONTROL.sub("", text)[:_LINE_CHARS])
        self._lines.append(line)
        self._chars += len(line.text)
        while len(self._lines) > _LINES or self._chars > _MOST_CHARS:
            self._chars -= len(self._lines.popleft().text)
        text = f"{line.at.isoformat(timespec='milliseconds')} {stream} {line.text}"
        self._file.handle(makeLogRecord({"msg": text}))

    def after(self, seq: int) -> list[LogLine]:
        """Return the kept lines with a greater `seq`, oldest first."""
        return [line for line in self._lines if line.seq > seq]

    def close(self) -> None:
        """Give the file back; the next line opens it again."""
        self._file.close()
