"""What every forge does on a bare repository on this disk, read and written with libgit2.

The embedded forge keeps the repositories themselves there; the Gitea forge keeps copies that it
can make again. Reads run in threads without a lock. A write queues behind the writers of its
repository in this process, then takes a lock that holds across processes, builds its objects,
and publishes them only if the branch is where the write began. A process killed anywhere in
between leaves loose objects that nothing refers to, which `git gc` removes.
"""

import asyncio
import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import pygit2
from pygit2.enums import RepositoryOpenFlag

from growqr.git import objects
from growqr.git.building import build_tree, new_objects, write_commit
from growqr.git.diffing import compare
from growqr.git.forge import (
    Author,
    Branch,
    BranchExists,
    BranchNotFound,
    CommitInfo,
    CommitRequest,
    Diff,
    ForgeBroken,
    HeadMoved,
    MergeConflict,
    RepoNotFound,
    RepoRef,
    TreeEntry,
)
from growqr.git.merging import merge_conflicts, merged_tree, rejoined_tree, reverted_tree
from growqr.git.operations import Operations
from growqr.git.paths import check_path
from growqr.git.refs import check_branch, rescue_ref
from growqr.git.signing import Sign
from growqr.settings import GitSettings

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_RACES = 20
"""Pushes that may overtake one commit before it gives up."""


class LocalForge(ABC):
    """The reading and building half of a `Forge`, on `<folder>/<repo_id>.git`."""

    threads: ThreadPoolExecutor | None = None
    """Where calls run; None: asyncio's own threads."""
    sign: Sign | None = None
    """Signs what is written here; whoever opens the forge gives it."""

    def __init__(self, folder: Path, settings: GitSettings) -> None:
        self.folder = folder.resolve()
        self.settings = settings
        self._operations = Operations()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def path(self, repo_id: str) -> Path:
        """Where a repository is or would be. Raises RepoNotFound for what can't be an id."""
        if not _ID.match(repo_id):
            raise RepoNotFound("there is no such repository")
        return self.folder / f"{repo_id}.git"

    @abstractmethod
    def prepare(self, repo: RepoRef, refs: Sequence[str]) -> None:
        """Make sure that `refs` (none: every branch) can be read here now. Blocks."""

    @abstractmethod
    def writing(self, repo: RepoRef) -> AbstractContextManager[None]:
        """Hold the repository for one write, with branches that are up to date. Blocks."""

    @abstractmethod
    def publish(
        self,
        repo: RepoRef,
        git: pygit2.Repository,
        branch: str,
        *,
        old: pygit2.Oid | None,
        new: pygit2.Oid,
        objects: Sequence[pygit2.Oid],
    ) -> bool:
        """Point `branch` at `new` if it is at `old` (None: does not exist), durably, together
        with the new `objects`. Blocks. False: it is elsewhere, and was read again.
        """

    @abstractmethod
    def keep(
        self, repo: RepoRef, git: pygit2.Repository, ref: str, objects: Sequence[pygit2.Oid]
    ) -> None:
        """Keep a commit, the first of `objects`, under a new ref that is no branch. Blocks."""

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
        return await self._read(
            repo, lambda git: objects.describe(git, objects.resolve(git, sha)), sha
        )

    async def diff(self, repo: RepoRef, base: str, head: str) -> Diff:
        return await self._read(
            repo,
            lambda git: compare(git, objects.resolve(git, base), objects.resolve(git, head)),
            base,
            head,
        )

    async def branches(self, repo: RepoRef) -> list[Branch]:
        return await self._read(repo, _branches)

    async def create_branch(self, repo: RepoRef, name: str, *, at: str) -> Branch:
        check_branch(name)

        def work(git: pygit2.Repository) -> Branch:
            target = objects.resolve(git, at).id
            if not self.publish(repo, git, name, old=None, new=target, objects=()):
                existing = objects.branch_head(git, name)
                if existing != target:
                    raise BranchExists(f"`{name}` exists, at {existing}", head=str(existing))
            return Branch(name, str(target))

        return await self._write(repo, work)

    async def commit(self, repo: RepoRef, request: CommitRequest) -> CommitInfo:
        check_branch(request.branch)
        if request.also_branch is not None:
            check_branch(request.also_branch)
        return await self._write(repo, lambda git: self._commit(repo, git, request))

    async def merge(
        self, repo: RepoRef, *, source: str, target: str, message: str, author: Author
    ) -> CommitInfo:
        check_branch(target)

        def work(git: pygit2.Repository) -> CommitInfo:
            theirs = objects.resolve(git, source)

            def build(ours: pygit2.Commit) -> tuple[pygit2.Tree, list[pygit2.Oid]] | None:
                if ours.id == theirs.id or git.descendant_of(ours.id, theirs.id):
                    return None
                return merged_tree(git, ours, theirs), [ours.id, theirs.id]

            return self._advance(repo, git, target, message, author, None, None, build)

        return await self._write(repo, work)

    async def conflicts(self, repo: RepoRef, *, source: str, target: str) -> tuple[str, ...]:
        def work(git: pygit2.Repository) -> tuple[str, ...]:
            ours, theirs = objects.resolve(git, target), objects.resolve(git, source)
            return merge_conflicts(git, ours, theirs)

        return await self._read(repo, work, source, target)

    async def revert(
        self,
        repo: RepoRef,
        sha: str,
        *,
        branch: str,
        message: str,
        author: Author,
        operation: str | None = None,
    ) -> CommitInfo:
        check_branch(branch)

        def work(git: pygit2.Repository) -> CommitInfo:
            undone = objects.resolve(git, sha)

            def build(head: pygit2.Commit) -> tuple[pygit2.Tree, list[pygit2.Oid]] | None:
                tree = reverted_tree(git, undone, head)
                return None if tree.id == head.tree_id else (tree, [head.id])

            return self._advance(repo, git, branch, message, author, operation, None, build)

        return await self._write(repo, work)

    def _commit(self, repo: RepoRef, git: pygit2.Repository, request: CommitRequest) -> CommitInfo:
        def build(head: pygit2.Commit) -> tuple[pygit2.Tree, list[pygit2.Oid]] | None:
            base = head if request.base is None else objects.resolve(git, request.base)
            tree = git[build_tree(git, base.tree, request.changes)]
            assert isinstance(tree, pygit2.Tree)
            if base.id != head.id:
                try:
                    tree = rejoined_tree(git, base.tree, head.tree, tree)
                except MergeConflict as conflict:
                    kept = self._rescue(repo, git, request, base, tree)
                    raise MergeConflict(conflict.paths, kept) from conflict
            return None if tree.id == head.tree_id else (tree, [head.id])

        made = self._advance(
            repo,
            git,
            request.branch,
            request.message,
            request.author,
            request.operation,
            request.expected_head,
            build,
        )
        if request.also_branch is not None:
            self._point(repo, git, request.also_branch, pygit2.Oid(hex=made.sha))
        return made

    def _rescue(
        self,
        repo: RepoRef,
        git: pygit2.Repository,
        request: CommitRequest,
        base: pygit2.Commit,
        tree: pygit2.Tree,
    ) -> str:
        """Keep changes that did not fit, as a commit on what their writer had read."""
        made = write_commit(git, request.author, request.message, tree, [base.id])
        self.keep(
            repo, git, rescue_ref(request.branch, str(made)), new_objects(made, tree, base.tree)
        )
        return str(made)

    def _advance(
        self,
        repo: RepoRef,
        git: pygit2.Repository,
        branch: str,
        message: str,
        author: Author,
        operation: str | None,
        expected_head: str | None,
        build: Callable[[pygit2.Commit], tuple[pygit2.Tree, list[pygit2.Oid]] | None],
    ) -> CommitInfo:
        """Put one commit on the branch; `build` gives tree and parents, or None: no change."""
        for _ in range(_RACES):
            oid = objects.branch_head(git, branch)
            if oid is None:
                raise BranchNotFound(f"there is no branch `{branch}`")
            if operation is not None:
                done = self._operations.find(git, branch, oid, operation)
                if done is not None:
                    return objects.describe(git, objects.commit_at(git, done))
            if expected_head is not None and expected_head != str(oid):
                raise HeadMoved(branch, str(oid))
            head = objects.commit_at(git, oid)
            built = build(head)
            if built is None:
                return objects.describe(git, head)
            tree, parents = built
            made = write_commit(git, author, message, tree, parents, self.sign)
            fresh = new_objects(made, tree, head.tree)
            if self.publish(repo, git, branch, old=oid, new=made, objects=fresh):
                self._operations.add(git, branch, old=oid, new=made, operation=operation)
                return objects.describe(git, objects.commit_at(git, made))
        raise HeadMoved(branch, str(oid))

    def _point(
        self, repo: RepoRef, git: pygit2.Repository, branch: str, target: pygit2.Oid
    ) -> None:
        """Make the branch, or fast-forward it. Raises BranchExists when it went elsewhere."""
        existing = objects.branch_head(git, branch)
        while existing != target:
            if existing is not None and not git.descendant_of(target, existing):
                raise BranchExists(f"`{branch}` exists, at {existing}", head=str(existing))
            if self.publish(repo, git, branch, old=existing, new=target, objects=()):
                return
            existing = objects.branch_head(git, branch)

    async def _read(self, repo: RepoRef, work: Callable[[pygit2.Repository], T], *refs: str) -> T:
        path = self.path(repo.id)

        def read() -> T:
            self.prepare(repo, refs)
            return opened(path, work)

        return await self.run(read)

    async def _write(self, repo: RepoRef, work: Callable[[pygit2.Repository], T]) -> T:
        path = self.path(repo.id)

        def write() -> T:
            with self.writing(repo):
                return opened(path, work)

        queue = self._queues.setdefault(repo.id, asyncio.Lock())
        async with queue:
            return await self.run(write)

    async def run(self, work: Callable[[], T]) -> T:
        """Run what blocks in a thread; what the disk raises becomes ForgeBroken."""

        def guarded() -> T:
            try:
                return work()
            except OSError as error:
                raise ForgeBroken("the repository can't be read or written now") from error

        return await asyncio.get_running_loop().run_in_executor(self.threads, guarded)


def opened(path: Path, work: Callable[[pygit2.Repository], T]) -> T:
    """Run `work` on the repository; what libgit2 and the disk raise becomes ForgeBroken."""
    if not path.is_dir():
        raise RepoNotFound("there is no such repository")
    try:
        return work(pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH))
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
