"""Fetching and pushing with the `git` program, which can be ended when the other side hangs."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from growqr.git.forge import ForgeBroken, ForgeDown
from growqr.git.program import git_environment

MAX_SECONDS = 300
"""Wall time of one of them; silence ends it after SILENT_SECONDS."""
SILENT_SECONDS = 30
_REFS = ("+refs/heads/*:refs/heads/*", "+refs/rescue/*:refs/rescue/*")


def fetch(path: Path, url: str, authorization: str) -> None:
    """Make branches and rescue refs of the bare repository at `path` those at `url`. Blocks.

    Raises:
        ForgeDown: the other side does not answer, or not in time.
    """
    options = ("--no-tags", "--prune", "--force", "--no-write-fetch-head")
    _git(path, url, authorization, ("fetch", "--quiet", *options, url, *_REFS))


def push(path: Path, url: str, authorization: str) -> None:
    """Send branches and rescue refs of the bare repository at `path` to `url`, all or none. Blocks.

    Raises:
        ForgeDown: the other side does not answer, not in time, or refuses.
    """
    refs = (ref.removeprefix("+") for ref in _REFS)
    _git(path, url, authorization, ("push", "--quiet", "--atomic", url, *refs))


def _git(path: Path, url: str, authorization: str, command: tuple[str, ...]) -> None:
    git = shutil.which("git")
    if git is None:
        raise ForgeBroken("git is not installed")
    what = command[0]
    with tempfile.TemporaryDirectory(prefix="growqr-git-") as home:
        process = subprocess.Popen(
            [git, "--git-dir", str(path), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=git_environment(path, _config(url, authorization), home),
            cwd=home,
            start_new_session=True,  # its children end with it
        )
        try:
            _, said = process.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            raise ForgeDown(f"a {what} at Gitea took longer than {MAX_SECONDS} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
    if process.returncode:
        # What it says names our own addresses only: the token is in no URL.
        raise ForgeDown(f"a {what} at Gitea failed: {said.decode(errors='replace')[:300]}")


def _config(url: str, authorization: str) -> dict[str, str]:
    return {
        f"http.{url}.extraHeader": f"Authorization: {authorization}",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(SILENT_SECONDS),
        "credential.helper": "",
    }
