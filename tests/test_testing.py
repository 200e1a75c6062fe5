from pathlib import Path

import pytest

from growqr.testing import Platform, PlatformFailed


def test_a_platform_that_can_not_start_says_why(tmp_path: Path) -> None:
    platform = Platform(tmp_path, {"GROWQR_PORT": "never"})
    with pytest.raises(PlatformFailed, match=r"ended with 2\n.*GROWQR_PORT"):
        platform.start()
    assert platform.url == ""


def test_a_platform_that_is_late_is_ended(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    with pytest.raises(PlatformFailed, match="not ready in 0 s"):
        platform.start(seconds=0)
    platform.stop()  # there is nothing left to stop
    assert platform.url == ""
