"""Reading a repository: refs, trees, blobs and history as plain types.

Everything here blocks; `growqr.git.embedded` runs it in threads. What users push is data: names
and messages that are not UTF-8 are shown with replacement characters, links are never followed.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice

import pygit2
from pygit2.enums import DeltaStatus, FileMode, SortMode

from growqr.git.forge import (
    BlobNotFound,
    BlobTooLarge,
    BranchNotFound,
    CommitInfo,
    CommitNotFound,
    TreeChanges,
    TreeEntry,
)
from growqr.git.refs import check_ref, is_sha

MAX_TREE_ENTRIES = 20_000
MAX_COMMIT_PATHS = 1_000
MAX_HISTORY = 20_000
"""Commits that one listing looks at before it ends."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999. Git takes later ones; no date of ours can hold them."""


@contextmanager
def closing(git: pygit2.Repository) -> Iterator[pygit2.Repository]:
    """Close the repository at the end; what came out of it can't be used afterwards.

    It and its collections (`git.branches`, …) refer to each other: by itself it stays open, with
    16 kB, until the garbage collector passes.
    """
    try:
        yield git
    finally:
        vars(git).clear()


def branch_head(repo: pygit2.Repository, branch: str) -> pygit2.Oid | None:
    """The commit that the branch points at; None: no such branch."""
    return ref_target(repo, f"refs/heads/{branch}")


def ref_target(repo: pygit2.Repository, name: str) -> pygit2.Oid | None:
    """The commit that the ref of that full name points at; None: no such ref."""
    if _folder_is_ref(repo, name):
        return None  # asked for it, libgit2 says that it can't read the repository
    reference = repo.references.get(name)
    return reference.peel(pygit2.Commit).id if reference is not None else None


def blocking_branch(repo: pygit2.Repository, branch: str) -> str | None:
    """The branch besides which there can't be one named `branch`, because Git keeps them as files
    and folders: `topic` besides `topic/x`. None: nothing is in its way.
    """
    for above in _folders_of(branch):
        if branch_head(repo, above) is not None:
            return above
    below = f"{branch}/".encode()
    names = (name for name in repo.raw_listall_branches() if name.startswith(below))
    return next((name.decode(errors="replace") for name in names), None)


def _folders_of(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _folder_is_ref(repo: pygit2.Repository, name: str) -> bool:
    return any(above in repo.references for above in islice(_folders_of(name), 2, None))


def resolve(repo: pygit2.Repository, ref: str) -> pygit2.Commit:
    """The commit of a branch or full SHA. Raises RefInvalid, BranchNotFound, CommitNotFound."""
    if is_sha(check_ref(ref)):
        found = repo.get(ref)
        if not isinstance(found, pygit2.Commit):
            raise CommitNotFound(f"there is no commit {ref}")
        return found
    head = branch_head(repo, ref)
    if head is None:
        raise BranchNotFound(f"there is no branch `{ref}`")
    return commit_at(repo, head)


def commit_at(repo: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Commit:
    """The commit of an id that is known to be one."""
    found = repo[oid]
    assert isinstance(found, pygit2.Commit)
    return found


def tree_at(repo: pygit2.Repository, oid: pygit2.Oid) -> pygit2.Tree:
    """The tree of an id that is known to be one."""
    found = repo[oid]
    assert isinstance(found, pygit2.Tree)
    return found


def read_blob(repo: pygit2.Repository, ref: str, path: str, *, max_bytes: int) -> bytes:
    """A file's bytes; for a symbolic link, the text it holds."""
    entry = _entry(resolve(repo, ref).tree, path)
    if not isinstance(entry, pygit2.Blob):
        raise BlobNotFound(f"there is no file `{path}` at `{ref}`", path=path)
    _, size = repo.odb.read_header(entry.id)
    if size > max_bytes:
        raise BlobTooLarge(f"`{path}` has {size} bytes, more than {max_bytes}", path=path)
    return entry.data


def read_tree(repo: pygit2.Repository, ref: str, path: str, *, recursive: bool) -> list[TreeEntry]:
    """Entries of a folder; see `Forge.tree`."""
    tree = resolve(repo, ref).tree
    if path:
        entry = _entry(tree, path)
        if not isinstance(entry, pygit2.Tree):
            raise BlobNotFound(f"there is no folder `{path}` at `{ref}`", path=path)
        tree = entry
    found: list[TreeEntry] = []
    for item in _walk_tree(repo, tree, f"{path}/" if path else "", recursive):
        if len(found) == MAX_TREE_ENTRIES:
            break
        found.append(item)
    return sorted(found, key=lambda item: item.path)


def _walk_tree(
    repo: pygit2.Repository, tree: pygit2.Tree, prefix: str, recursive: bool
) -> Iterator[TreeEntry]:
    for entry in tree:
        path = prefix + (entry.raw_name or b"").decode(errors="replace")
        if isinstance(entry, pygit2.Tree):
            if recursive:
                yield from _walk_tree(repo, entry, path + "/", recursive)
            else:
                yield TreeEntry(path, "dir", 0, str(entry.id))
        elif entry.filemode in (FileMode.LINK, FileMode.COMMIT):
            yield TreeEntry(path, "link", 0, str(entry.id))
        else:
            _, size = repo.odb.read_header(entry.id)
            yield TreeEntry(path, "file", size, str(entry.id))


def tree_changes(repo: pygit2.Repository, old: pygit2.Commit, new: pygit2.Commit) -> TreeChanges:
    """See `Forge.changes`."""
    written: list[TreeEntry] = []
    gone: list[str] = []
    for delta in old.tree.diff_to_tree(new.tree, context_lines=0).deltas:
        side = delta.new_file
        path = side.raw_path.decode(errors="replace")
        if delta.status == DeltaStatus.DELETED:
            gone.append(path)
        elif side.mode in (FileMode.LINK, FileMode.COMMIT):
            written.append(TreeEntry(path, "link", 0, str(side.id)))
        else:
            _, size = repo.odb.read_header(side.id)
            written.append(TreeEntry(path, "file", size, str(side.id)))
    return TreeChanges(tuple(written), tuple(gone))


def _entry(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    try:
        return tree[path]
    except (KeyError, ValueError):
        return None


def log(
    repo: pygit2.Repository, ref: str, *, path: str | None, limit: int, after: str | None
) -> list[CommitInfo]:
    """History; see `Forge.commits`."""
    # Unsorted is git's own order: children first, then by time, read only as far as needed.
    # Sorting by time reads all of it, and mixes up commits of the same second.
    walker = repo.walk(resolve(repo, ref).id, SortMode.NONE)
    found: list[CommitInfo] = []
    waiting = after is not None
    for count, commit in enumerate(walker):
        if count == MAX_HISTORY or len(found) == limit:
            break
        if waiting:
            waiting = str(commit.id) != after
        elif path is None or _touches(commit, path):
            found.append(describe(commit))
    if waiting:
        raise CommitNotFound(f"{after} is not in the history of `{ref}`")
    return found


def _touches(commit: pygit2.Commit, path: str) -> bool:
    # Like `git log`: a merge that took one side's version of the path is left out.
    mine = _entry(commit.tree, path)
    before = [_entry(parent.tree, path) for parent in commit.parents]
    if not before:
        return mine is not None
    here = mine.id if mine else None
    return all((entry.id if entry else None) != here for entry in before)


def describe(commit: pygit2.Commit, paths: Collection[str] | None = None) -> CommitInfo:
    """A commit as a plain value; `paths` are what it changed, where that is known already."""
    message = commit.raw_message.decode(errors="replace")
    subject, _, rest = message.strip().partition("\n")
    try:
        trailers = dict(commit.message_trailers)
    except UnicodeDecodeError:
        trailers = {}
    body = rest.strip()
    if trailers:
        body = body.rpartition("\n\n")[0].strip()
    return CommitInfo(
        sha=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        author=commit.author.raw_name.decode(errors="replace"),
        author_email=commit.author.raw_email.decode(errors="replace"),
        at=datetime.fromtimestamp(max(0, min(commit.commit_time, _LAST_SECOND)), UTC),
        subject=subject.strip(),
        body=body,
        trailers=trailers,
        paths=tuple(sorted(_changed_paths(commit) if paths is None else paths)[:MAX_COMMIT_PATHS]),
    )


def _changed_paths(commit: pygit2.Commit) -> Iterator[str]:
    """What the commit changed against its first parent (or nothing), at most MAX_COMMIT_PATHS."""
    tree = commit.tree
    if commit.parent_ids:
        diff = commit.parents[0].tree.diff_to_tree(tree, context_lines=0)
    else:
        diff = tree.diff_to_tree(swap=True, context_lines=0)
    for delta in islice(diff.deltas, MAX_COMMIT_PATHS):
        yield delta_path(delta)


def delta_path(delta: pygit2.DiffDelta) -> str:
    """The path of a changed file, also of one that is gone."""
    raw = delta.new_file.raw_path or delta.old_file.raw_path
    return raw.decode(errors="replace")
