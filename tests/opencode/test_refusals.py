"""What this kernel says when it forbids sandboxes, and what we make of it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from growqr import doctor
from growqr.opencode.bubblewrap import trial
from growqr.opencode.refusals import advice_on
from growqr.opencode.seccomp import seccomp_filter
from growqr.settings import SandboxSettings, Settings

pytestmark = pytest.mark.live

UID = SandboxSettings().first_uid
NOBODY = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
AROUND = ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc"]


def refused(*more: str, pass_fds: Sequence[int] = ()) -> str:
    """Try as an ordinary user, in a sandbox that forbids it; returns what was printed."""
    become = NOBODY if os.geteuid() == 0 else []
    inner = trial(UID)
    inner = inner[inner.index("/bin/bash") :]
    inner[2] = ""  # no root in there
    tried = subprocess.run(
        [*become, *AROUND, *more, *inner], capture_output=True, text=True, pass_fds=pass_fds
    )
    assert tried.returncode != 0
    return tried.stderr


def test_here_it_works() -> None:
    tried = subprocess.run(trial(UID), capture_output=True, text=True)
    assert (tried.returncode, tried.stderr) == (0, "")


def test_a_limit_on_user_namespaces() -> None:
    said = refused("--disable-userns")
    assert "user.max_user_namespaces" in advice_on(said), said


def test_a_filter_of_system_calls() -> None:
    number = os.memfd_create("filter")
    try:
        os.write(number, seccomp_filter())
        os.lseek(number, 0, os.SEEK_SET)
        said = refused("--seccomp", str(number), pass_fds=[number])
    finally:
        os.close(number)
    assert "seccomp=unconfined" in advice_on(said), said


def test_a_root_that_may_make_no_mounts() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    command = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", *trial(UID)]
    tried = subprocess.run(command, capture_output=True, text=True)
    assert tried.returncode != 0
    assert "Run GrowQR outside of this container" in advice_on(tried.stderr), tried.stderr


def test_other_errors_get_no_advice() -> None:
    assert advice_on("Segmentation fault") == ""


def test_the_doctor_says_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = "bwrap: No permissions to create new namespace"
    monkeypatch.setattr(doctor, "trial", lambda _: ["sh", "-c", f"echo {words} >&2; exit 1"])
    settings = Settings(data_dir=tmp_path)
    found = doctor.examine(settings, engine=Path, opencode=Path)
    [sandbox] = [finding for finding in found if finding.part == "sandbox"]
    assert sandbox.state == "limited"
    assert words in sandbox.found
    assert sandbox.advice == advice_on(words)
