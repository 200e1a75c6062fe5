"""Users' repositories: rows in the database, Git data in the forge."""

import re

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.exc import IntegrityError

from growqr.db.engine import Database
from growqr.db.tables import GitToken, Repo
from growqr.errors import Conflict, InvalidInput, NotFound, TooMany
from growqr.git.commits import CommitService
from growqr.git.deploy_keys import DeployKeys
from growqr.git.forge import Forge, RepoRef
from growqr.git.layout import PRIMARY_NAME
from growqr.git.pull_requests import PullRequests
from growqr.ids import new_id
from growqr.settings import Settings

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z")


class RepoNameInvalid(InvalidInput):
    """The name can't be that of a project."""

    code = "repo_name_invalid"


class RepoExists(Conflict):
    """The user has a repository of that name; `repo_id` is its id."""

    code = "repo_exists"


class TooManyProjects(TooMany):
    """The user has as many projects as one may have."""

    code = "too_many_projects"
    retryable = False


def ref_of(row: Repo) -> RepoRef:
    """The repository as the forge knows it."""
    return RepoRef(row.id, row.owner_id, row.name)


class RepoService:
    """Makes and finds repositories; every look-up goes through the owner.

    The row comes first, then the Git data, and finding one makes what is missing: a crash
    between the two heals with the next call.
    """

    def __init__(
        self, db: Database, forge: Forge, commits: CommitService, settings: Settings
    ) -> None:
        self._db = db
        self._forge = forge
        self._limits = settings.limits
        self._base_url = settings.base_url
        self.pull_requests = PullRequests(db, forge, commits)
        self.deploy_keys = DeployKeys(db, forge)

    async def ensure_primary(self, user_id: str) -> Repo:
        """The user's life repository, made if need be; safe to repeat and to race."""
        row, _ = await self._ensure(user_id, PRIMARY_NAME, "primary", "")
        return row

    async def create_project(self, user_id: str, name: str, description: str = "") -> Repo:
        """A new project repository.

        Raises:
            RepoNameInvalid: not 1 to 64 of `a-z 0-9 . _ -`, or the life repository's name.
            RepoExists, TooManyProjects: nothing was made.
        """
        row, made = await self._project(user_id, name, description)
        if not made:
            raise RepoExists(f"you have a repository `{name}` already", repo_id=row.id)
        return row

    async def ensure_project(self, user_id: str, name: str, description: str = "") -> Repo:
        """The project of that name, made if need be; for writers that may repeat themselves."""
        row, _ = await self._project(user_id, name, description)
        return row

    async def get(self, owner_id: str, repo_id: str) -> Repo:
        """One of the owner's repositories. Raises NotFound."""
        return await self._one(owner_id, Repo.id == repo_id)

    async def by_name(self, owner_id: str, name: str) -> Repo:
        """One of the owner's repositories, by name or id. Raises NotFound."""
        return await self._one(owner_id, (Repo.name == name) | (Repo.id == name))

    async def list(self, owner_id: str, *, limit: int = 50, after: str | None = None) -> list[Repo]:
        """The owner's repositories by age, behind the id `after`."""
        async with self._db.session() as session:
            query = select(Repo).where(Repo.owner_id == owner_id)
            if after is not None:
                query = query.where(Repo.id > after)
            return list(await session.scalars(query.order_by(Repo.id).limit(limit)))

    async def end_access(self, owner_id: str) -> None:
        """End every token and deploy key of the owner's repositories; safe to repeat.

        Raises as `Forge.remove_deploy_key`.
        """
        async with self._db.session() as session:
            rows = (await session.scalars(select(Repo).where(Repo.owner_id == owner_id))).all()
            mine = GitToken.repo_id.in_([row.id for row in rows])
            await session.execute(delete(GitToken).where(mine))
        for row in rows:
            for key in await self.deploy_keys.list(row.id):
                await self.deploy_keys.remove(ref_of(row), key.id)

    def clone_url(self, row: Repo) -> str:
        """Where to clone it from, with a token as the password."""
        return f"{self._base_url}/git/{row.id}/{row.name}.git"

    async def _one(self, owner_id: str, which: ColumnElement[bool]) -> Repo:
        async with self._db.session() as session:
            row = await session.scalar(select(Repo).where(Repo.owner_id == owner_id, which))
        if row is None:
            raise NotFound("there is no such repository")
        return row

    async def _project(self, user_id: str, name: str, description: str) -> tuple[Repo, bool]:
        reserved = name == PRIMARY_NAME or name.endswith((".git", ".lock")) or ".." in name
        if reserved or not _NAME.match(name):
            raise RepoNameInvalid(
                f"`{ascii(name[:64])[1:-1]}` can't name a project: 1 to 64 of a-z, 0-9 and . _ -"
            )
        return await self._ensure(user_id, name, "project", description)

    async def _ensure(
        self, owner_id: str, name: str, kind: str, description: str
    ) -> tuple[Repo, bool]:
        row = await self._find(owner_id, name)
        made = False
        if row is None:
            if kind == "project":
                await self._check_room(owner_id)
            row = Repo(
                id=new_id("rep"),
                owner_id=owner_id,
                name=name,
                kind=kind,
                description=description.replace("\0", ""),
            )
            try:
                async with self._db.session() as session:
                    session.add(row)
                made = True
            except IntegrityError:
                row = await self._find(owner_id, name)
                if row is None:
                    raise NotFound("there is no such user") from None
        await self._forge.create(ref_of(row))
        return row, made

    async def _find(self, owner_id: str, name: str) -> Repo | None:
        async with self._db.session() as session:
            mine = select(Repo).where(Repo.owner_id == owner_id, Repo.name == name)
            return (await session.scalars(mine)).one_or_none()

    async def _check_room(self, owner_id: str) -> None:
        async with self._db.session() as session:
            count = await session.scalar(
                select(func.count())
                .select_from(Repo)
                .where(Repo.owner_id == owner_id, Repo.kind == "project")
            )
        if (count or 0) >= self._limits.projects:
            raise TooManyProjects(f"you have {count} projects, as many as one may have")
