"""`growqr ssh-keys` and `growqr ssh-serve`: deploy keys of the embedded forge."""

from growqr.db.engine import Database
from growqr.errors import Conflict
from growqr.git.ssh import GitCommand, authorized_lines, command_for
from growqr.settings import Settings


class NeedsEmbedded(Conflict):
    """Gitea lets deploy keys in by itself."""

    code = "needs_embedded_forge"


async def lines(settings: Settings, program: str, wanted: str | None) -> list[str]:
    """See `authorized_lines`. Raises NeedsEmbedded."""
    _check(settings)
    db = Database(settings.db_url)
    try:
        return await authorized_lines(db, program, wanted)
    finally:
        await db.aclose()


async def command(settings: Settings, mark: str, asked: str, protocol: str) -> GitCommand:
    """See `command_for`. Raises NeedsEmbedded, SshRefused."""
    _check(settings)
    db = Database(settings.db_url)
    try:
        return await command_for(db, settings.data_dir.resolve() / "git", mark, asked, protocol)
    finally:
        await db.aclose()


def _check(settings: Settings) -> None:
    if settings.git.provider != "embedded":
        raise NeedsEmbedded("With Gitea, deploy keys work through Gitea's own SSH server.")
