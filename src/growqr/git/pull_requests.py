"""Pull requests, the same on every forge."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.engine import Database
from growqr.db.tables import PullRequest
from growqr.errors import Conflict, InvalidInput, NotFound, Unavailable
from growqr.git.commits import CommitService
from growqr.git.forge import Author, BranchNotFound, Forge, RepoRef
from growqr.git.refs import check_branch
from growqr.git.statuses import CommitStatus
from growqr.ids import new_id

MAX_TITLE_CHARS = 200
_RACES = 5


class NothingToMerge(InvalidInput):
    """The branch adds nothing to its base."""

    code = "nothing_to_merge"


class PullRequestClosed(Conflict):
    """The pull request was closed without a merge."""

    code = "pull_request_closed"


class PullRequestMerged(Conflict):
    """The pull request is merged already."""

    code = "pull_request_merged"


class PullRequests:
    """Opens, lists and merges pull requests, numbered from 1 per repository."""

    def __init__(self, db: Database, forge: Forge, commits: CommitService) -> None:
        self._db = db
        self._forge = forge
        self._commits = commits

    async def open(
        self, repo: RepoRef, *, branch: str, title: str, base: str = "main", body: str = ""
    ) -> PullRequest:
        """Propose to merge `branch` into `base`; if that is proposed already, return it.

        Raises:
            RefInvalid, BranchNotFound: one of the branches can't be or is not there.
            NothingToMerge: `branch` adds nothing.
        """
        for name in (branch, base):
            if await self._forge.head(repo, check_branch(name)) is None:
                raise BranchNotFound(f"there is no branch `{name}`")
        async with self._db.session() as session:
            existing = await _find_open(session, repo, branch, base)
        if existing is not None:
            return existing
        if not (await self._forge.diff(repo, base, branch)).files:
            raise NothingToMerge(f"`{branch}` adds nothing to `{base}`")
        for _ in range(_RACES):
            row = PullRequest(
                id=new_id("prq"),
                repo_id=repo.id,
                title=" ".join(title.replace("\0", "").split())[:MAX_TITLE_CHARS],
                body=body.replace("\0", ""),
                branch=branch,
                base=base,
                status="open",
                merge_commit=None,
            )
            try:
                async with self._db.session() as session:
                    mine = PullRequest.repo_id == repo.id
                    last = await session.scalar(select(func.max(PullRequest.number)).where(mine))
                    # After the number: one that is opened from here on takes it away from this.
                    existing = await _find_open(session, repo, branch, base)
                    if existing is not None:
                        return existing
                    row.number = (last or 0) + 1
                    session.add(row)
            except IntegrityError:
                continue
            return row
        raise Unavailable("too many pull requests at once; try again")

    async def list(
        self,
        repo: RepoRef,
        *,
        status: str | None = None,
        limit: int = 50,
        before: int | None = None,
    ) -> list[PullRequest]:
        """Newest first, with a number below `before`."""
        query = select(PullRequest).where(PullRequest.repo_id == repo.id)
        if status is not None:
            query = query.where(PullRequest.status == status)
        if before is not None:
            query = query.where(PullRequest.number < before)
        async with self._db.session() as session:
            rows = await session.scalars(query.order_by(PullRequest.number.desc()).limit(limit))
            return list(rows)

    async def get(self, repo: RepoRef, number: int) -> PullRequest:
        """One pull request. Raises NotFound."""
        async with self._db.session() as session:
            row = await session.scalar(
                select(PullRequest).where(
                    PullRequest.repo_id == repo.id, PullRequest.number == number
                )
            )
        if row is None:
            raise NotFound("there is no such pull request")
        return row

    async def merge(self, repo: RepoRef, number: int, *, actor: Author) -> PullRequest:
        """Merge it; merged already: return it. A crash in between is healed by repeating.

        Raises:
            NotFound, PullRequestClosed, BranchNotFound, PathForbidden
            MergeConflict: with the paths that both sides changed; it stays open.
        """
        row = await self.get(repo, number)
        if row.status == "merged":
            return row
        if row.status != "open":
            raise PullRequestClosed(f"pull request {number} is {row.status}")
        made = await self._commits.merge(
            repo,
            actor=actor,
            source=row.branch,
            target=row.base,
            what=f"{row.title} (#{row.number})",
            operation=f"{row.id}:merge",
        )
        async with self._db.session() as session:
            kept = await session.get_one(PullRequest, row.id)
            kept.status = "merged"
            kept.merge_commit = made.sha
        return kept

    async def conflicts(self, repo: RepoRef, row: PullRequest) -> tuple[str, ...]:
        """Paths that keep an open pull request from being merged. Raises BranchNotFound."""
        if row.status != "open":
            return ()
        return await self._forge.conflicts(repo, source=row.branch, target=row.base)

    async def statuses(self, repo: RepoRef, row: PullRequest) -> Sequence[CommitStatus] | None:
        """What is said of the commit that its branch is at; None: the branch is gone."""
        try:
            return await self._forge.statuses(repo, row.branch)
        except BranchNotFound:
            return None

    async def close(self, repo: RepoRef, number: int) -> PullRequest:
        """Close it without a merge; closed already: return it.

        Raises:
            NotFound
            PullRequestMerged: there is nothing left to close.
        """
        row = await self.get(repo, number)
        async with self._db.session() as session:
            # Only while it is open: a merge at the same moment wins.
            mine = (PullRequest.id == row.id, PullRequest.status == "open")
            await session.execute(update(PullRequest).where(*mine).values(status="closed"))
        row = await self.get(repo, number)
        if row.status == "merged":
            raise PullRequestMerged(f"pull request {number} is merged")
        return row


async def _find_open(
    session: AsyncSession, repo: RepoRef, branch: str, base: str
) -> PullRequest | None:
    found = await session.scalars(
        select(PullRequest).where(
            PullRequest.repo_id == repo.id,
            PullRequest.branch == branch,
            PullRequest.base == base,
            PullRequest.status == "open",
        )
    )
    return found.first()
