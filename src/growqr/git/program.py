"""What Git gets from us, as a program and as a library: nothing of ours, nobody's settings."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel

SERVING = {
    # Where the repository's own settings say that a push cleans up, that is done by us.
    "receive.autogc": "false",
    "receive.hideRefs": "refs/notes/growqr",
}
"""What counts for git when it answers a clone or a push: the platform alone writes its notes."""


def git_environment(
    repository: Path, config: Mapping[str, str] | None = None, home: str = os.devnull
) -> dict[str, str]:
    """Environment for git on one bare repository; `config` counts beside the repository's own."""
    settings = {"safe.directory": str(repository), **(config or {})}
    numbered = {
        f"GIT_CONFIG_{part}_{number}": text
        for number, pair in enumerate(settings.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    git = shutil.which("git")
    return {
        "PATH": f"{Path(git).parent}:{os.defpath}" if git else os.defpath,
        "LC_ALL": "C",
        "HOME": home,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **numbered,
    }


def use_no_settings() -> None:
    """Have libgit2, too, read a repository's own settings only; for the whole process."""
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""
    pygit2.settings.owner_validation = False  # as `safe.directory` says to the program
