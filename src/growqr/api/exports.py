"""Everything of one user in one file, for them to take along: repositories, channels, account.

The file can be fetched when the account is gone; see `growqr.api.export_folder`.
"""

import asyncio
import json
import secrets
import tempfile
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase

from growqr import __version__
from growqr.api.agents_gateway import AgentGateway
from growqr.api.export_folder import Export, ExportFolder
from growqr.db.engine import Database
from growqr.db.registry import list_actors
from growqr.db.tables import ActorRow, PullRequest, Repo, Subscription, Usage, User
from growqr.errors import GrowError, NotFound
from growqr.git.bundles import write_bundle
from growqr.git.forge import Forge
from growqr.git.repos import ref_of
from growqr.identity.attempts import AttemptLimit

_PER_DAY = 5
_PAGE = 200
_SWEEP_SECONDS = 3600
log = structlog.get_logger(__name__)

_README = """\
What you kept at GrowQR.

repositories/NAME.bundle   a whole Git repository: git clone NAME.bundle
channels/NAME.json         the messages with one agent, oldest first
tasks.json                 what agents did for you, newest first
account.json               what else was stored about you
"""


class Exports:
    """Makes such files, in `exports/` of the data folder."""

    def __init__(
        self, folder: ExportFolder, db: Database, forge: Forge, agents: AgentGateway
    ) -> None:
        self.folder = folder
        self._db = db
        self._forge = forge
        self._agents = agents
        self._turn = asyncio.Lock()
        self._made = AttemptLimit(db, "export", _PER_DAY, 86_400)

    async def make(self, user_id: str) -> Export:
        """Write the user's file, complete when this returns.

        Raises AgentUnavailable, ForgeDown and the like: then nothing is left behind.
        """
        async with self._turn:  # one at a time: a copy of everything is heavy on the disk
            self.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=self.folder.path) as aside:
                return await self._write(user_id, Path(aside))

    async def make_on_request(self, user_id: str) -> Export:
        """`make`, five times a day at most; raises TooManyAttempts, too."""
        await self._made.take(user_id)
        try:
            return await self.make(user_id)
        except GrowError:
            await self._made.give_back(user_id)
            raise

    async def again(self, name: str) -> Export | None:
        """Return a file made before; None when there was none, or its time is over."""
        try:
            return await asyncio.to_thread(self.folder.told, self.folder.find(name))
        except (NotFound, FileNotFoundError):
            return None

    async def run(self) -> None:
        """Delete what is too old every hour, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.folder.sweep)
            except OSError as error:
                log.warning("exports.not_swept", error=str(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _write(self, user_id: str, aside: Path) -> Export:
        async with self._db.session() as session:
            rows = list(await list_actors(session, user_id))
            repos = list(await session.scalars(select(Repo).filter_by(owner_id=user_id)))
            account = await _account(session, user_id, rows, repos)
        draft = aside / "export.zip"
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", _README)
            archive.writestr("account.json", _json(account))
            for repo in repos:
                bundle = aside / "repository.bundle"
                copy = await self._forge.copy(ref_of(repo), statuses=True)
                await asyncio.to_thread(write_bundle, copy, bundle)
                await asyncio.to_thread(
                    archive.write, bundle, f"repositories/{repo.name}.bundle", zipfile.ZIP_STORED
                )
                bundle.unlink()
            for row in rows:
                messages = [message async for message in self._messages(row)]
                await _add(archive, f"channels/{row.name}.json", messages)
                if row.name == "grow":
                    tasks = [task async for task in self._tasks(row)]
                    await _add(archive, "tasks.json", tasks)
        path = self.folder.path / f"{secrets.token_urlsafe(32)}.zip"
        draft.chmod(0o600)
        draft.replace(path)
        return await asyncio.to_thread(self.folder.told, path)

    async def _messages(self, row: ActorRow) -> AsyncIterator[dict[str, Any]]:
        pages = []
        before: int | None = None
        while True:
            page = await self._agents.messages(row, before, _PAGE)
            pages.append(page["items"])
            before = page["before"]
            if before is None:
                break
        for items in reversed(pages):
            for item in items:
                yield item

    async def _tasks(self, grow: ActorRow) -> AsyncIterator[dict[str, Any]]:
        before: int | None = None
        while True:
            page = await self._agents.tasks(grow, status=None, before=before, limit=_PAGE)
            for item in page["items"]:
                yield item
            before = page["before"]
            if before is None:
                return


async def _add(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    """Pack it away from the event loop: years of messages take seconds."""
    await asyncio.to_thread(lambda: archive.writestr(name, _json(value)))


async def _account(
    session: Any, user_id: str, rows: list[ActorRow], repos: list[Repo]
) -> dict[str, Any]:
    user = await session.get_one(User, user_id)
    ids = [repo.id for repo in repos]
    requests = await session.scalars(select(PullRequest).where(PullRequest.repo_id.in_(ids)))
    subscription = await session.get(Subscription, user_id)
    usage = await session.scalars(select(Usage).filter_by(user_id=user_id).order_by(Usage.day))
    return {
        "growqr": __version__,
        "at": datetime.now(UTC),
        "user": _row(user, leave_out=("password_hash", "leaving")),
        "agents": [_row(row) for row in rows],
        "repositories": [_row(repo) for repo in repos],
        "pull_requests": [_row(request) for request in requests],
        "subscription": _row(subscription) if subscription else None,
        "usage": [_row(day, leave_out=("user_id",)) for day in usage],
    }


def _row(row: DeclarativeBase, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    names = (column.key for column in row.__mapper__.columns)
    return {name: getattr(row, name) for name in names if name not in leave_out}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
