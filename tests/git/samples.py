"""Values that several Git tests share."""

import base64
import subprocess
from pathlib import Path

import anyio.to_thread

from growqr.git.commits import CommitService
from growqr.git.forge import Author, Change, CommitInfo, RepoRef

ANYONE = Author("usr_1", "Ada", frozenset({"git.commit:**"}))
REPO = RepoRef("rep_1", "usr_1", "grow")
PROJECT = RepoRef("rep_2", "usr_1", "todo")
ED25519 = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()
REPOS = (REPO, PROJECT)
"""Every repository that the tests of both forges make."""


async def git(*args: str, cwd: Path | None = None, stdin: bytes | None = None) -> str:
    """Run git as a user would; raises CalledProcessError with what it printed."""

    def run() -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=cwd,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "Ada",
                "GIT_AUTHOR_EMAIL": "ada@example.com",
                "GIT_COMMITTER_NAME": "Ada",
                "GIT_COMMITTER_EMAIL": "ada@example.com",
            },
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, args, output)
        return output

    return await anyio.to_thread.run_sync(run)


async def write(
    commits: CommitService,
    files: dict[str, bytes | None],
    operation: str,
    *,
    branch: str = "main",
    repo: RepoRef = REPO,
) -> CommitInfo:
    return await commits.commit(
        repo,
        actor=ANYONE,
        kind="write",
        scope="test",
        what=operation,
        changes=[Change(path, data) for path, data in files.items()],
        operation=operation,
        branch=branch,
    )
