"""Which forge, with what answers clone and push: chosen once, when the platform starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import Repo
from growqr.git.backend import Backend
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Forge, RepoRef
from growqr.git.gitea.forge import GiteaForge
from growqr.git.gitea.transport import GiteaTransport, Locate
from growqr.git.http import Transport
from growqr.git.signing import Signer
from growqr.settings import GitSettings


@dataclass(frozen=True)
class Hosting:
    """Where repositories live, and who answers `git clone` and `git push`."""

    forge: Forge
    transport: Transport


def make_forge(settings: GitSettings, data: Path) -> EmbeddedForge | GiteaForge:
    """The forge that `settings` name, its files below the folder `data`; close it when done."""
    forge: EmbeddedForge | GiteaForge
    if settings.provider == "gitea":
        forge = GiteaForge(data / "cache" / "git", settings)
    else:
        forge = EmbeddedForge(data / "git", settings)
    forge.sign = Signer(data / "secrets").sign
    return forge


@asynccontextmanager
async def open_hosting(settings: GitSettings, data: Path, db: Database) -> AsyncIterator[Hosting]:
    """The forge and what serves it."""
    forge = make_forge(settings, data)
    try:
        if isinstance(forge, EmbeddedForge):
            yield Hosting(forge, Backend(forge.folder, forge.maintenance.wrote))
            return
        transport = GiteaTransport(forge.server, locator(db))
        try:
            yield Hosting(forge, transport)
        finally:
            await transport.aclose()
    finally:
        forge.close()


def locator(db: Database) -> Locate:
    """Finds a repository by its id alone, for callers that have shown a token of it."""

    async def locate(repo_id: str) -> RepoRef | None:
        async with db.session() as session:
            row = await session.scalar(select(Repo).where(Repo.id == repo_id))
        return RepoRef(row.id, row.owner_id, row.name) if row is not None else None

    return locate
