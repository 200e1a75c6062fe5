"""Reading bare repositories on this disk as a forge does: in threads, without a lock."""

import asyncio
import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pygit2
from pygit2.enums import RepositoryOpenFlag

from growqr.git import objects
from growqr.git.diffing import compare
from growqr.git.forge import (
    Branch,
    CommitInfo,
    Diff,
    ForgeBroken,
    RepoNotFound,
    RepoRef,
    TreeChanges,
    TreeEntry,
)
from growqr.git.merging import kept_conflicts, merge_conflicts
from growqr.git.paths import check_path
from growqr.git.program import use_no_settings
from growqr.git.refs import check_branch
from growqr.settings import GitSettings

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class LocalReading(ABC):
    """The reading half of a `Forge`, on `<folder>/<repo_id>.git`."""

    threads: ThreadPoolExecutor | None = None
    """Where calls run; None: asyncio's own threads."""

    def __init__(self, folder: Path, settings: GitSettings) -> None:
        use_no_settings()
        self.folder = folder.resolve()
        self.settings = settings

    def path(self, repo_id: str) -> Path:
        """Where a repository is or would be. Raises RepoNotFound for what can't be an id."""
        if not _ID.match(repo_id):
            raise RepoNotFound("there is no such repository")
        return self.folder / f"{repo_id}.git"

    @abstractmethod
    def prepare(self, repo: RepoRef, refs: Sequence[str]) -> None:
        """Make sure that `refs` (none: every branch) can be read here now. Blocks."""

    @abstractmethod
    async def held(self) -> list[RepoRef]:
        """Every repository that the forge holds, by age; the owner may not be known."""

    async def copy(self, repo: RepoRef, *, statuses: bool = False) -> Path:
        """See `Forge.copy`. Raises RepoNotFound."""
        path = self.path(repo.id)

        def read() -> Path:
            self.prepare(repo, ())
            return opened(path, lambda git: path)

        return await self.run(read)

    async def head(self, repo: RepoRef, branch: str = "main") -> str | None:
        def work(git: pygit2.Repository) -> str | None:
            found = objects.branch_head(git, check_branch(branch))
            return str(found) if found else None

        return await self._read(repo, work)

    async def tree(
        self, repo: RepoRef, *, ref: str = "main", path: str = "", recursive: bool = False
    ) -> list[TreeEntry]:
        if path:
            check_path(path)
        return await self._read(
            repo, lambda git: objects.read_tree(git, ref, path, recursive=recursive), ref
        )

    async def changes(self, repo: RepoRef, old: str, new: str) -> TreeChanges:
        def work(git: pygit2.Repository) -> TreeChanges:
            return objects.tree_changes(git, objects.resolve(git, old), objects.resolve(git, new))

        return await self._read(repo, work, old, new)

    async def blob(self, repo: RepoRef, path: str, *, ref: str = "main") -> bytes:
        check_path(path)
        most = self.settings.max_file_bytes
        return await self._read(
            repo, lambda git: objects.read_blob(git, ref, path, max_bytes=most), ref
        )

    async def commits(
        self,
        repo: RepoRef,
        *,
        ref: str = "main",
        path: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[CommitInfo]:
        if path is not None:
            check_path(path)
        return await self._read(
            repo, lambda git: objects.log(git, ref, path=path, limit=limit, after=after), ref
        )

    async def commit_info(self, repo: RepoRef, sha: str) -> CommitInfo:
        return await self._read(repo, lambda git: objects.describe(objects.resolve(git, sha)), sha)

    async def diff(self, repo: RepoRef, base: str, head: str) -> Diff:
        return await self._read(
            repo,
            lambda git: compare(git, objects.resolve(git, base), objects.resolve(git, head)),
            base,
            head,
        )

    async def branches(self, repo: RepoRef) -> list[Branch]:
        return await self._read(repo, _branches)

    async def conflicts(
        self, repo: RepoRef, *, source: str, target: str, kept: bool = False
    ) -> tuple[str, ...]:
        def work(git: pygit2.Repository) -> tuple[str, ...]:
            ours, theirs = objects.resolve(git, target), objects.resolve(git, source)
            return kept_conflicts(git, ours, theirs) if kept else merge_conflicts(git, ours, theirs)

        return await self._read(repo, work, source, target)

    async def _read(self, repo: RepoRef, work: Callable[[pygit2.Repository], T], *refs: str) -> T:
        path = self.path(repo.id)

        def read() -> T:
            self.prepare(repo, refs)
            return opened(path, work)

        return await self.run(read)

    async def run(self, work: Callable[[], T]) -> T:
        """Run what blocks in a thread; what the disk raises becomes ForgeBroken."""

        def guarded() -> T:
            try:
                return work()
            except OSError as error:
                raise ForgeBroken("the repository can't be read or written now") from error

        return await asyncio.get_running_loop().run_in_executor(self.threads, guarded)


def opened(path: Path, work: Callable[[pygit2.Repository], T]) -> T:
    """Run `work` on the repository; what libgit2 and the disk raise becomes ForgeBroken.

    Nothing that `work` returns may need the repository: it is closed then.
    """
    if not path.is_dir():
        raise RepoNotFound("there is no such repository")
    try:
        with objects.closing(pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH)) as git:
            return work(git)
    except (pygit2.GitError, OSError, KeyError) as error:
        raise ForgeBroken("the repository can't be read or written now") from error


def _branches(git: pygit2.Repository) -> list[Branch]:
    found: list[Branch] = []
    for raw in git.raw_listall_branches():
        with contextlib.suppress(UnicodeDecodeError):  # can't be named in a request either
            name = raw.decode()
            head = objects.branch_head(git, name)
            if head is not None:
                found.append(Branch(name, str(head)))
    return sorted(found, key=lambda branch: branch.name)
