"""What every forge does on a bare repository on this disk, read and written with libgit2.

The embedded forge keeps the repositories themselves there; the Gitea forge keeps copies that it
can make again. Reads run in threads without a lock. A write queues behind the writers of its
repository in this process, then takes a lock that holds across processes, builds its objects,
and publishes them only if the branch is where the write began. A process killed anywhere in
between leaves loose objects that nothing refers to; `growqr.git.maintenance` packs those too.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import pygit2

from growqr.git import objects
from growqr.git.building import Built, build_tree, built_before, write_commit
from growqr.git.forge import (
    Author,
    Branch,
    BranchExists,
    BranchNotFound,
    CommitInfo,
    CommitRequest,
    ForgeBusy,
    HeadMoved,
    MergeConflict,
    RepoRef,
    Settlement,
)
from growqr.git.maintenance import Maintenance
from growqr.git.merging import merged_tree, rejoined_tree, reverted_tree, settled_tree
from growqr.git.operations import Operations
from growqr.git.reading import LocalReading, opened
from growqr.git.refs import check_branch, rescue_ref
from growqr.git.signing import Sign
from growqr.settings import GitSettings

T = TypeVar("T")
_RACE_SECONDS = 30.0
"""How long pushes may overtake one commit before it gives up."""


class LocalForge(LocalReading):
    """The building half of a `Forge`."""

    sign: Sign | None = None
    """Signs what is written here; whoever opens the forge gives it."""

    def __init__(self, folder: Path, settings: GitSettings) -> None:
        super().__init__(folder, settings)
        self.maintenance = Maintenance()
        self._operations = Operations()
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @abstractmethod
    async def take_over(self, repo: RepoRef, bring: Callable[[Path], None]) -> None:
        """Make the repository from objects and refs that `bring` puts into an empty one; does
        nothing if it exists. What `bring` raises leaves nothing behind.
        """

    @abstractmethod
    async def hand_over(self, repo: RepoRef, owner_id: str) -> None:
        """Give the repository to another owner, where the forge keeps owners."""

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

    async def create_branch(self, repo: RepoRef, name: str, *, at: str) -> Branch:
        check_branch(name)

        def work(git: pygit2.Repository) -> Branch:
            target = objects.resolve(git, at).id
            _check_room(git, name)
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
        self,
        repo: RepoRef,
        *,
        source: str,
        target: str,
        message: str,
        author: Author,
        operation: str | None = None,
        settlement: Settlement | None = None,
    ) -> CommitInfo:
        check_branch(target)

        def work(git: pygit2.Repository) -> CommitInfo:
            theirs = objects.resolve(git, source)
            seen = objects.resolve(git, settlement.seen) if settlement is not None else None

            def build(ours: pygit2.Commit) -> tuple[Built, list[pygit2.Oid]] | None:
                if ours.id == theirs.id or git.descendant_of(ours.id, theirs.id):
                    return None
                if settlement is None or seen is None:
                    tree = merged_tree(git, ours, theirs)
                else:
                    tree = settled_tree(git, ours, theirs, seen, settlement)
                return built_before(tree, ours.tree), [ours.id, theirs.id]

            return self._advance(repo, git, target, message, author, operation, None, build)

        return await self._write(repo, work)

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

            def build(head: pygit2.Commit) -> tuple[Built, list[pygit2.Oid]] | None:
                tree = reverted_tree(git, undone, head)
                if tree.id == head.tree_id:
                    return None
                return built_before(tree, head.tree), [head.id]

            return self._advance(repo, git, branch, message, author, operation, None, build)

        return await self._write(repo, work)

    def _commit(self, repo: RepoRef, git: pygit2.Repository, request: CommitRequest) -> CommitInfo:
        def build(head: pygit2.Commit) -> tuple[Built, list[pygit2.Oid]] | None:
            base = head if request.base is None else objects.resolve(git, request.base)
            read = build_tree(git, base.tree, request.own)
            read_tree = objects.tree_at(git, read.tree_id)
            built = build_tree(git, read_tree, request.changes)
            if read.tree_id != head.tree_id:
                written = objects.tree_at(git, built.tree_id)
                try:
                    tree = rejoined_tree(git, read_tree, head.tree, written)
                except MergeConflict as conflict:
                    kept = self._rescue(repo, git, request, base, read, built)
                    raise MergeConflict(conflict.paths, kept) from conflict
                built = built_before(tree, head.tree)
            return None if built.tree_id == head.tree_id else (built, [head.id])

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
        read: Built,
        built: Built,
    ) -> str:
        """Keep changes that did not fit, as a commit on what their writer had read."""
        parent, below = base.id, list(read.objects)
        if read.tree_id != base.tree_id:
            message = f"read: what {request.author.id} had written itself\n"
            parent = write_commit(git, request.author, message, read.tree_id, [base.id], self.sign)
            below.append(parent)
        made = write_commit(
            git, request.author, request.message, built.tree_id, [parent], self.sign
        )
        fresh = [made, *built.objects, *below]
        self.keep(repo, git, rescue_ref(request.branch, str(made)), fresh)
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
        build: Callable[[pygit2.Commit], tuple[Built, list[pygit2.Oid]] | None],
    ) -> CommitInfo:
        """Put one commit on the branch; `build` gives what differs from the branch, and the
        parents, or None: no change.
        """
        deadline = time.monotonic() + _RACE_SECONDS
        while time.monotonic() < deadline:
            oid = objects.branch_head(git, branch)
            if oid is None:
                raise BranchNotFound(f"there is no branch `{branch}`")
            if operation is not None:
                done = self._operations.find(git, branch, oid, operation)
                if done is not None:
                    return objects.describe(objects.commit_at(git, done))
            if expected_head is not None and expected_head != str(oid):
                raise HeadMoved(branch, str(oid))
            head = objects.commit_at(git, oid)
            built = build(head)
            if built is None:
                return objects.describe(head)
            new, parents = built
            made = write_commit(git, author, message, new.tree_id, parents, self.sign)
            if self.publish(repo, git, branch, old=oid, new=made, objects=[made, *new.objects]):
                self._operations.add(git, branch, old=oid, new=made, operation=operation)
                return objects.describe(objects.commit_at(git, made), new.paths)
        raise ForgeBusy(f"others kept moving `{branch}` on; try again")

    def _point(
        self, repo: RepoRef, git: pygit2.Repository, branch: str, target: pygit2.Oid
    ) -> None:
        """Make the branch, or fast-forward it.

        Raises BranchExists when it went elsewhere, or another is in its way.
        """
        _check_room(git, branch)
        existing = objects.branch_head(git, branch)
        while existing != target:
            if existing is not None and not git.descendant_of(target, existing):
                raise BranchExists(f"`{branch}` exists, at {existing}", head=str(existing))
            if self.publish(repo, git, branch, old=existing, new=target, objects=()):
                return
            existing = objects.branch_head(git, branch)

    async def _write(self, repo: RepoRef, work: Callable[[pygit2.Repository], T]) -> T:
        path = self.path(repo.id)

        def write() -> T:
            with self.writing(repo):
                return opened(path, work)

        queue = self._queues.setdefault(repo.id, asyncio.Lock())
        async with queue:
            done = await self.run(write)
        self.maintenance.wrote(path)
        return done


def _check_room(git: pygit2.Repository, branch: str) -> None:
    blocking = objects.blocking_branch(git, branch)
    if blocking is not None:
        raise BranchExists(f"there can be no `{branch}` besides the branch `{blocking}`")
