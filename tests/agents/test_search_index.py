import gc
from pathlib import Path

from growqr.agents.search_index import SearchIndex


def test_an_index_nobody_holds_is_closed_at_once(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path / "index.sqlite")
    log = tmp_path / "index.sqlite-wal"  # the last connection to close takes it away
    assert log.exists()
    gc.disable()
    try:
        del index
        assert not log.exists()
    finally:
        gc.enable()
