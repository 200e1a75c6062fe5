"""What the operator's commands work on: database and repositories, without engine or worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.errors import NotFound
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import RepoRef
from growqr.git.gitea.forge import GiteaForge
from growqr.git.hosting import make_forge
from growqr.git.signing import KnownSigner, Signer
from growqr.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Open database and forge of one data folder."""

    settings: Settings
    db: Database
    forge: EmbeddedForge | GiteaForge

    @property
    def secrets(self) -> Path:
        return self.settings.data_dir.resolve() / "secrets"

    def signers(self) -> list[KnownSigner]:
        """Return every public key that this installation knows."""
        return list(Signer(self.secrets).known())

    async def repos(self) -> dict[str, RepoRef]:
        """Return every repository that the forge holds, by id, the oldest first."""
        return {repo.id: repo for repo in await self.forge.held()}

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
    """Open database (brought to the newest schema) and forge; closed with the block."""
    db = Database(settings.db_url)
    try:
        await db.migrate()
        forge = make_forge(settings.git, settings.data_dir.resolve())
        try:
            yield Stores(settings=settings, db=db, forge=forge)
        finally:
            forge.close()
    finally:
        await db.aclose()
