"""Git bundles: a whole repository in one file, which `git clone` takes."""

import subprocess
from pathlib import Path

from growqr.git.forge import ForgeBroken
from growqr.git.program import git_environment


def write_bundle(repository: Path, file: Path) -> None:
    """Write all refs of a bare repository, with all they reach, to `file`. Blocks.

    Raises ForgeBroken.
    """
    command = [
        "git",
        "--git-dir",
        str(repository),
        "bundle",
        "create",
        "--quiet",
        str(file),
        "--all",
    ]
    environment = git_environment(repository)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ForgeBroken(f"Git can't copy {repository.name}: {done.stderr.strip()[:500]}")
