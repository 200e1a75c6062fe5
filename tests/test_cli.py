"""What a person sees who starts it with a mistake."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from growqr.cli import app
from growqr.testing import Platform, PlatformFailed


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GROWQR_SERVICES", "[{", "GROWQR_SERVICES: not JSON"),
        ("GROWQR_BILLING__PLANS", "basic", "GROWQR_BILLING__PLANS: not JSON"),
        ("GROWQR_DATABASE_URL", "nonsense", "GROWQR_DATABASE_URL: use postgresql://"),
        ("GROWQR_PORT", "never", "GROWQR_PORT: "),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, told: str) -> None:
    done = CliRunner().invoke(app, ["doctor"], env={name: value})
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr


def test_a_setting_that_is_none_is_told(tmp_path: Path) -> None:
    env = {"GROWQR_IDENTITY_PROVIDER": "clerk", "GROWQR_DATA_DIR": str(tmp_path)}
    done = CliRunner().invoke(app, ["verify"], env=env)
    assert done.exit_code == 0
    assert "GROWQR_IDENTITY_PROVIDER is no setting" in done.stderr
    assert "GROWQR_DATA_DIR" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"GROWQR_RIVET__BINARY": "/no/engine"}, "GROWQR_RIVET__BINARY: there is no file"),
        ({"GROWQR_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "can't be prepared: .*refused"),
        ({"GROWQR_DATA_DIR": "/proc/growqr"}, "can't write in .*Set GROWQR_DATA_DIR"),
    ],
)
def test_a_start_that_fails_says_why_and_no_more(
    tmp_path: Path, setting: dict[str, str], told: str
) -> None:
    with pytest.raises(PlatformFailed, match=told) as caught:
        Platform(tmp_path, setting).start()
    assert "Traceback" not in str(caught.value)
