"""Deploy keys on the embedded forge, through the host's own OpenSSH server.

sshd asks for the line of a key (`AuthorizedKeysCommand`); the line lets the key run one command
of ours and nothing else, which opens the repositories that the key belongs to.
"""

import hashlib
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import DeployKey
from growqr.errors import Forbidden, Unavailable
from growqr.git.program import SERVING, git_environment

_PATH = re.compile(
    r"/?(?P<repo>[A-Za-z0-9][A-Za-z0-9_-]{0,63})/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.git"
)
_SERVICES = ("git-upload-pack", "git-receive-pack")
_PROTOCOL = re.compile(r"version=[0-2]")


class SshRefused(Forbidden):
    """The key opens nothing of that name, or may not do that."""

    code = "ssh_refused"


@dataclass(frozen=True)
class GitCommand:
    """What to run for a connection that has been let in."""

    program: str
    arguments: Sequence[str]
    environment: dict[str, str]


async def authorized_lines(db: Database, program: str, wanted: str | None = None) -> list[str]:
    """Lines of an `authorized_keys` file, one a key: of the key `wanted`, or of all.

    `program` is what runs `growqr`, with its settings, for a connection.
    """
    async with db.session() as session:
        keys = set(await session.scalars(select(DeployKey.public_key)))
    return [
        f'restrict,command="{shlex.join([program, "ssh-serve", _mark(key)])}" {key}'
        for key in sorted(keys)
        if wanted in (None, key)
    ]


async def command_for(
    db: Database, folder: Path, mark: str, asked: str, protocol: str = ""
) -> GitCommand:
    """What to run when the key of `mark` has asked for `asked`, as git's client does.

    Raises SshRefused; somebody else's repository is refused like a missing one.
    """
    service, repo_id = _parsed(asked)
    async with db.session() as session:
        rows = await session.scalars(select(DeployKey).where(DeployKey.repo_id == repo_id))
        mine = [row for row in rows if _mark(row.public_key) == mark]
    repository = folder / f"{repo_id}.git"
    if not mine or not repository.is_dir():
        raise SshRefused("There is no such repository, or this key does not open it.")
    if service == "git-receive-pack" and all(row.read_only for row in mine):
        raise SshRefused("This key may read, not push.")
    git = shutil.which("git")
    if git is None:
        raise Unavailable("git is not installed here.")
    environment = git_environment(repository, SERVING)
    if _PROTOCOL.fullmatch(protocol):
        environment["GIT_PROTOCOL"] = protocol
    return GitCommand(git, [git, service.removeprefix("git-"), str(repository)], environment)


def _parsed(asked: str) -> tuple[str, str]:
    try:
        words = shlex.split(asked)
    except ValueError:
        words = []
    match = _PATH.fullmatch(words[1]) if len(words) == 2 else None
    if match is None or words[0] not in _SERVICES:
        raise SshRefused("Only `git clone`, `fetch` and `push` of ssh://…/REPO/NAME.git work here.")
    return words[0], match["repo"]


def _mark(public_key: str) -> str:
    """What a line calls its key by: the same key may belong to several repositories."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:32]
