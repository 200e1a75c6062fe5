"""What a forge can do, and the plain types that cross its edge.

Errors (all of them leaves of `growqr.errors`):

    RepoNotFound, BranchNotFound, CommitNotFound, BlobNotFound   404
    PathInvalid (growqr.git.paths), RefInvalid (growqr.git.refs) 400
    StatusInvalid (growqr.git.statuses), NotUndoable             400
    BranchExists, HeadMoved, MergeConflict                       409
    BlobTooLarge, CommitTooLarge                                 413
    ForgeBusy, ForgeBroken, ForgeDown                            503, retryable
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from growqr.errors import Conflict, InvalidInput, NotFound, TooLarge, Unavailable
from growqr.git.statuses import CommitStatus


class RepoNotFound(NotFound):
    """The forge holds no such repository."""

    code = "repo_not_found"
    title = "No such repository"


class BranchNotFound(NotFound):
    """The repository has no such branch."""

    code = "branch_not_found"
    title = "No such branch"


class CommitNotFound(NotFound):
    """The repository has no such commit."""

    code = "commit_not_found"
    title = "No such commit"


class BlobNotFound(NotFound):
    """There is no file (or folder) of that path at that ref."""

    code = "path_not_found"
    title = "No such file"


class NotUndoable(InvalidInput):
    """The first commit has nothing before it to go back to."""

    code = "not_undoable"
    title = "This commit can't be undone"


class BranchExists(Conflict):
    """The branch is there already and points elsewhere, or another one is in its way."""

    code = "branch_exists"
    title = "The branch exists"


class HeadMoved(Conflict):
    """The branch is no longer where the request expected it; `head` is where it is."""

    code = "head_moved"
    title = "The branch has moved on"

    def __init__(self, branch: str, head: str | None) -> None:
        super().__init__(f"`{branch}` is at {head} now; read it again and retry", head=head)
        self.head = head


class MergeConflict(Conflict):
    """Both sides changed the same lines of `paths`; no branch was moved.

    `kept` is the commit with the changes that did not fit, where there is one, on top of what
    their writer had read: a ref below `refs/rescue/` holds it, so that somebody can join the two.
    """

    code = "merge_conflict"
    title = "The changes conflict"

    def __init__(self, paths: Sequence[str], kept: str | None = None) -> None:
        extra = {"kept": kept} if kept else {}
        super().__init__(f"{len(paths)} file(s) conflict", paths=list(paths), **extra)
        self.paths = tuple(paths)
        self.kept = kept


class BlobTooLarge(TooLarge):
    """The file is larger than a read may return."""

    code = "file_too_large"


class CommitTooLarge(TooLarge):
    """Too many files, or too many bytes, for one commit."""

    code = "commit_too_large"


class ForgeBusy(Unavailable):
    """Another writer holds the branch for longer than we wait."""

    code = "forge_busy"


class ForgeBroken(Unavailable):
    """The repository can't be read or written: damaged, disk full, or no permission."""

    code = "forge_broken"


class ForgeDown(Unavailable):
    """The server that holds the repositories does not answer, or answers with an error.

    Whether a write reached it is not known; repeating it with the same `operation` is safe.
    """

    code = "forge_down"


@dataclass(frozen=True, slots=True)
class RepoRef:
    """A repository as the layers above name it; `id` alone decides where it is stored."""

    id: str
    owner_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: an actor's or a user's id, a display name, and what it may write.

    Capabilities look like `git.commit:agents/coding/**`; see `growqr.git.capabilities`.
    """

    id: str
    name: str
    capabilities: frozenset[str] = frozenset()


PLATFORM = Author(id="growqr", name="GrowQR")
"""Who writes what no user and no agent does."""


@dataclass(frozen=True, slots=True)
class Change:
    """The new content of one file; None deletes it (deleting what is absent does nothing)."""

    path: str
    content: bytes | None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """One commit on top of whatever `branch` holds.

    `operation` makes it happen once: when a commit of the branch's recent history carries it
    as its `Operation:` trailer (the caller puts it into `message`), that commit is the answer.
    `expected_head` refuses with `HeadMoved` instead of building on a newer head.
    `base` is the commit whose files the writer had read: what others wrote since is merged
    with `changes` instead of being overwritten by them. `own` is what the writer itself has
    written since: it counts as read too, as it was written, not as others changed it then.
    `also_branch` is made to point at the result too: a new branch, or one it fast-forwards.
    """

    branch: str
    message: str
    author: Author
    changes: Sequence[Change]
    operation: str | None = None
    expected_head: str | None = None
    also_branch: str | None = None
    base: str | None = None
    own: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a person decided a conflict: what stands in the places that both sides changed.

    The source is what a `MergeConflict` kept. `prefer` is the side that stands there, or `both`,
    one after the other. `files` are written on top, as they are. `seen` is the target's commit
    that the decision was made on: where the target has changed the same files since, it does not
    count (`MergeConflict`).
    """

    prefer: Literal["target", "source", "both"]
    seen: str
    files: Sequence[Change] = ()


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, folder or link at a ref. `size` is in bytes, 0 for what is not a file.

    A `link` is a symbolic link or a submodule; nothing here ever follows one.
    """

    path: str
    type: Literal["file", "dir", "link"]
    size: int
    oid: str


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """How the files and links of one commit differ from another's."""

    written: tuple[TreeEntry, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit. `paths` are what it changed against its first parent, at most 1,000."""

    sha: str
    parents: tuple[str, ...]
    author: str
    author_email: str
    at: datetime
    subject: str
    body: str
    """The message after the subject, without the trailers."""
    trailers: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What happened to one file. `patch` is unified diff text; None: binary or too long."""

    path: str
    old_path: str | None
    status: Literal["added", "modified", "deleted", "renamed"]
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Changes from the merge base of both sides to `head`, as a pull request shows them."""

    base: str
    """The merge base's SHA, or that of `base` when the histories are unrelated."""
    head: str
    files: tuple[FileDiff, ...]
    truncated: bool
    """More files changed than are listed."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch and the commit it points at."""

    name: str
    head: str


class Forge(Protocol):
    """Git hosting: embedded, or Gitea.

    `ref` is a branch name or a full SHA. Every call may raise `RepoNotFound`, `ForgeBusy`,
    `ForgeBroken` and `ForgeDown`; other errors are named per call.
    """

    async def create(self, repo: RepoRef) -> None:
        """Make the repository with its first commit on `main`; does nothing if it exists."""

    async def delete(self, repo: RepoRef) -> None:
        """Remove the repository for good; does nothing if it is gone."""

    async def copy(self, repo: RepoRef, *, statuses: bool = False) -> Path:
        """A bare repository on this disk with every branch and rescue ref as they are now.

        `statuses`: as Git notes, also what is said of the branches' commits.
        """

    async def head(self, repo: RepoRef, branch: str = "main") -> str | None:
        """The SHA that `branch` points at; None: no such branch."""

    async def tree(
        self, repo: RepoRef, *, ref: str = "main", path: str = "", recursive: bool = False
    ) -> list[TreeEntry]:
        """What is in a folder, sorted by path; recursive: files and links below it, at most
        20,000. Raises BranchNotFound, CommitNotFound, BlobNotFound.
        """

    async def changes(self, repo: RepoRef, old: str, new: str) -> TreeChanges:
        """What became of the files of the ref `old` in `new`; costs what changed, not what is
        there. Raises CommitNotFound.
        """

    async def blob(self, repo: RepoRef, path: str, *, ref: str = "main") -> bytes:
        """A file's content. Raises BlobNotFound, BlobTooLarge."""

    async def commits(
        self,
        repo: RepoRef,
        *,
        ref: str = "main",
        path: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[CommitInfo]:
        """History of `ref`, newest first, of one file or folder when `path` is given, going on
        behind the commit `after`. Raises CommitNotFound when `after` is not in it.
        """

    async def commit_info(self, repo: RepoRef, sha: str) -> CommitInfo:
        """One commit. Raises CommitNotFound."""

    async def diff(self, repo: RepoRef, base: str, head: str) -> Diff:
        """What `head` adds since it left `base` (both refs)."""

    async def statuses(self, repo: RepoRef, ref: str) -> list[CommitStatus]:
        """What is said of the commit at `ref`, one status a context, by context.

        Raises BranchNotFound, CommitNotFound.
        """

    async def set_status(self, repo: RepoRef, sha: str, status: CommitStatus) -> None:
        """Say something of a commit; saying it again changes nothing.

        Raises StatusInvalid, CommitNotFound.
        """

    async def branches(self, repo: RepoRef) -> list[Branch]:
        """Every branch, by name."""

    async def create_branch(self, repo: RepoRef, name: str, *, at: str) -> Branch:
        """Make a branch at a ref; the same branch at the same commit is no error.

        Raises RefInvalid, BranchExists (also for `topic/x` besides `topic`).
        """

    async def add_deploy_key(
        self, repo: RepoRef, *, title: str, public_key: str, read_only: bool
    ) -> None:
        """Let an SSH key in, where the forge has an SSH server; the same again is no error."""

    async def remove_deploy_key(self, repo: RepoRef, *, public_key: str) -> None:
        """Let the key in no longer; does nothing if it is gone."""

    async def conflicts(
        self, repo: RepoRef, *, source: str, target: str, kept: bool = False
    ) -> tuple[str, ...]:
        """Paths that would keep the ref `source` from being merged into `target`, sorted.

        `kept`: the source is what a `MergeConflict` kept, so its parent is what its writer read.
        """

    async def commit(self, repo: RepoRef, request: CommitRequest) -> CommitInfo:
        """Apply changes in one commit; a request that changes nothing returns the head.

        Raises PathInvalid, BranchNotFound, HeadMoved, BranchExists (`also_branch`),
        CommitNotFound and MergeConflict (`base`).
        """

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
        """Merge the ref `source` into the branch `target` with a merge commit.

        Merged already: returns the commit of `operation`, else the target's head. Raises
        BranchNotFound, CommitNotFound, MergeConflict.
        """

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
        """Undo one commit by a new one. Raises CommitNotFound, NotUndoable, MergeConflict."""
