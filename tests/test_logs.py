import logging
from pathlib import Path

import pytest

from growqr import logs


def _write(handler: logging.Handler, lines: int) -> None:
    for number in range(lines):
        handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))


def test_a_log_of_one_process_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_BYTES", 1000)
    handler = logs.file_handler(tmp_path / "growqr.log", alone=True)
    _write(handler, 1000)
    handler.close()
    files = list(tmp_path.iterdir())
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) <= 4000
    assert "line 999" in (tmp_path / "growqr.log").read_text()


def test_a_log_of_several_goes_on_in_a_new_file_when_it_is_moved_away(tmp_path: Path) -> None:
    file = tmp_path / "growqr.log"
    one, other = (logs.file_handler(file, alone=False) for _ in range(2))
    _write(one, 1)
    file.rename(tmp_path / "growqr.log.1")
    for handler in (one, other):
        _write(handler, 1)
        handler.close()
    assert file.read_text() == "line 0\n" * 2
