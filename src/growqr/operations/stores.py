"""What the operator's commands work on: database and repositories, without engine or worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.errors import Conflict, NotFound
from growqr.git.embedded import EmbeddedForge
from growqr.git.signing import KnownSigner, Signer
from growqr.settings import Settings


class NeedsEmbedded(Conflict):
    """Repositories are read from the data folder; Gitea has its own backups."""

    code = "needs_embedded_forge"


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Open database and forge of one data folder."""

    settings: Settings
    db: Database
    forge: EmbeddedForge

    @property
    def secrets(self) -> Path:
        return self.settings.data_dir.resolve() / "secrets"

    def signers(self) -> list[KnownSigner]:
        """Return every public key that this installation knows."""
        return list(Signer(self.secrets).known())

    def repo_ids(self) -> list[str]:
        """Return the ids of all repositories in the data folder, sorted by age."""
        return sorted(path.stem for path in self.forge.folder.glob("[A-Za-z0-9]*.git"))

    async def user(self, wanted: str) -> User:
        """Return the account with this id or e-mail address. Raises NotFound."""
        async with self.db.session() as session:
            found = await session.scalar(
                select(User).where((User.id == wanted) | (User.email == wanted.strip().lower()))
            )
        if found is None:
            raise NotFound(f"There is no account `{wanted}`.")
        return found

    async def users(self) -> list[User]:
        """Return every account, oldest first."""
        async with self.db.session() as session:
            return list(await session.scalars(select(User).order_by(User.id)))


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open database (brought to the newest schema) and forge; closed with the block.

    Raises:
        NeedsEmbedded: the repositories are not in the data folder.
    """
    if settings.git.provider != "embedded":
        raise NeedsEmbedded(
            "This command needs the embedded forge: with Gitea, the repositories are Gitea's."
        )
    db = Database(settings.db_url)
    try:
        await db.migrate()
        forge = EmbeddedForge(settings.data_dir / "git", settings.git)
        try:
            yield Stores(settings=settings, db=db, forge=forge)
        finally:
            forge.close()
    finally:
        await db.aclose()
