"""Everything of one user in one file, for them to take along: repositories, channels, account.

A file has a name that nobody can guess, and whoever knows it can fetch it: so the link still
works when the account is gone. After a week the file is deleted.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase

from growqr import __version__
from growqr.api.agents_gateway import AgentGateway
from growqr.db.engine import Database
from growqr.db.registry import list_actors
from growqr.db.tables import ActorRow, PullRequest, Repo, Subscription, Usage, User
from growqr.errors import GrowError, NotFound
from growqr.git.bundles import write_bundle
from growqr.git.forge import Forge
from growqr.git.repos import ref_of
from growqr.identity.attempts import AttemptLimit

KEPT = timedelta(days=7)
_PER_DAY = 5
_PAGE = 200
_SWEEP_SECONDS = 3600
_NAME = re.compile(r"[A-Za-z0-9_-]{43}\Z")
log = structlog.get_logger(__name__)

_README = """\
What you kept at GrowQR.

repositories/NAME.bundle   a whole Git repository: git clone NAME.bundle
channels/NAME.json         the messages with one agent, oldest first
tasks.json                 what agents did for you, newest first
account.json               what else was stored about you
"""


@dataclass(frozen=True)
class Export:
    """A finished file; `name` is a secret."""

    name: str
    size: int
    sha256: str
    expires_at: datetime


class Exports:
    """Makes such files, keeps them for a week in `exports/` of the data folder."""

    def __init__(self, folder: Path, db: Database, forge: Forge, agents: AgentGateway) -> None:
        self._folder = folder
        self._db = db
        self._forge = forge
        self._agents = agents
        self._turn = asyncio.Lock()
        self._made = AttemptLimit(db, "export", _PER_DAY, 86_400)

    async def make(self, user_id: str) -> Export:
        """Write the user's file, complete when this returns.

        Raises TooManyAttempts after five a day, and AgentUnavailable, ForgeDown and the like:
        then nothing is left behind.
        """
        await self._made.take(user_id)
        try:
            async with self._turn:  # one at a time: a copy of everything is heavy on the disk
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(prefix=".draft-", dir=self._folder) as aside:
                    return await self._write(user_id, Path(aside))
        except GrowError:
            await self._made.give_back(user_id)
            raise

    def find(self, name: str) -> Path:
        """Return the file of that name; raises NotFound."""
        path = self._folder / f"{name}.zip"
        if not _NAME.match(name) or not path.is_file() or self._expired(path):
            raise NotFound("There is no such file, or its week is over.")
        return path

    def sweep(self) -> None:
        """Delete what is older than a week, drafts of a killed process too."""
        for path in self._folder.glob("*.zip"):
            if self._expired(path):
                path.unlink(missing_ok=True)
        for draft in self._folder.glob(".draft-*"):
            if self._expired(draft):
                shutil.rmtree(draft, ignore_errors=True)

    async def run(self) -> None:
        """`sweep` every hour until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.sweep)
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
                copy = await self._forge.copy(ref_of(repo))
                await asyncio.to_thread(write_bundle, copy, bundle)
                await asyncio.to_thread(
                    archive.write, bundle, f"repositories/{repo.name}.bundle", zipfile.ZIP_STORED
                )
                bundle.unlink()
            for row in rows:
                messages = [message async for message in self._messages(row)]
                archive.writestr(f"channels/{row.name}.json", _json(messages))
                if row.name == "grow":
                    tasks = [task async for task in self._tasks(row)]
                    archive.writestr("tasks.json", _json(tasks))
        digest = await asyncio.to_thread(_digest, draft)
        name = secrets.token_urlsafe(32)
        draft.chmod(0o600)
        os.replace(draft, self._folder / f"{name}.zip")  # noqa: PTH105
        path = self._folder / f"{name}.zip"
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Export(name, path.stat().st_size, digest, made_at + KEPT)

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

    def _expired(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime < time.time() - KEPT.total_seconds()
        except FileNotFoundError:  # another process of ours was first
            return True


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
        "user": _row(user, leave_out=("password_hash",)),
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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
