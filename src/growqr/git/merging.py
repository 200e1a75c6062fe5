"""Trees for merges and reverts, made in memory."""

import pygit2
from pygit2.enums import FileMode, MergeFavor

from growqr.git.building import build_tree
from growqr.git.forge import MergeConflict, NotUndoable, Settlement
from growqr.git.layout import SNAPSHOT
from growqr.git.objects import tree_at


def merged_tree(repo: pygit2.Repository, ours: pygit2.Commit, theirs: pygit2.Commit) -> pygit2.Tree:
    """The tree of a three-way merge. Raises MergeConflict."""
    return _tree(repo, repo.merge_commits(ours, theirs))


def merge_conflicts(
    repo: pygit2.Repository, ours: pygit2.Commit, theirs: pygit2.Commit
) -> tuple[str, ...]:
    """Paths that both sides changed in ways that exclude each other; writes nothing."""
    return _conflicting(repo.merge_commits(ours, theirs))


def kept_conflicts(
    repo: pygit2.Repository, ours: pygit2.Commit, kept: pygit2.Commit
) -> tuple[str, ...]:
    """The same for what a `MergeConflict` kept; its parent is what its writer had read."""
    return _conflicting(_with_kept(repo, ours, kept))


def rejoined_tree(
    repo: pygit2.Repository, base: pygit2.Tree, ours: pygit2.Tree, theirs: pygit2.Tree
) -> pygit2.Tree:
    """The tree of a three-way merge of trees. Raises MergeConflict."""
    return _tree(repo, repo.merge_trees(base, ours, theirs))


def settled_tree(
    repo: pygit2.Repository,
    ours: pygit2.Commit,
    kept: pygit2.Commit,
    seen: pygit2.Commit,
    settlement: Settlement,
) -> pygit2.Tree:
    """The tree of a merge in which a person has decided what stands where both sides changed.

    Raises:
        MergeConflict: `ours` has changed the files in question since the person saw them.
    """
    paths = kept_conflicts(repo, ours, kept)
    changed = [path for path in paths if _id_at(ours, path) != _id_at(seen, path)]
    if changed:
        raise MergeConflict(changed, str(kept.id))
    favor = {
        "target": MergeFavor.OURS,
        "source": MergeFavor.THEIRS,
        "both": MergeFavor.UNION,
    }[settlement.prefer]
    index = _with_kept(repo, ours, kept, favor)
    # Left are files that one side removed or made something else of: no lines to choose among.
    for ancestor, mine, other in list(index.conflicts or ()):
        first, second = (other, mine) if settlement.prefer == "source" else (mine, other)
        chosen = first or (second if settlement.prefer == "both" else None)
        path = next(entry.path for entry in (ancestor, mine, other) if entry is not None)
        del index.conflicts[path]
        if chosen is not None:
            index.add(pygit2.IndexEntry(chosen.path, chosen.id, chosen.mode))
    tree = _tree(repo, index)
    return tree_at(repo, build_tree(repo, tree, settlement.files).tree_id)


def _with_kept(
    repo: pygit2.Repository,
    ours: pygit2.Commit,
    kept: pygit2.Commit,
    favor: MergeFavor = MergeFavor.NORMAL,
) -> pygit2.Index:
    return repo.merge_trees(kept.parents[0].tree, ours.tree, kept.tree, favor=favor)


def _id_at(commit: pygit2.Commit, path: str) -> pygit2.Oid | None:
    entry = _at(commit.tree, path)
    return entry.id if entry is not None else None


def reverted_tree(
    repo: pygit2.Repository, undone: pygit2.Commit, head: pygit2.Commit
) -> pygit2.Tree:
    """The tree of `head` without what `undone` changed (against its first parent).

    The snapshot of an agent stays: it comes along in many commits, and tells of now.

    Raises:
        MergeConflict: later commits changed the same lines.
        NotUndoable: it is a first commit.
    """
    if not undone.parent_ids:
        raise NotUndoable("the first commit of a repository can't be undone")
    before = _with_snapshot_of(repo, undone.tree, undone.parents[0].tree)
    return _tree(repo, repo.merge_trees(undone.tree, head.tree, before))


def _with_snapshot_of(
    repo: pygit2.Repository, source: pygit2.Tree, tree: pygit2.Tree
) -> pygit2.Tree:
    """`tree` with the snapshot that `source` has."""
    wanted = _at(source, SNAPSHOT)
    folder_name, name = SNAPSHOT.split("/")
    folder = _at(tree, folder_name)
    if folder is not None and not isinstance(folder, pygit2.Tree):
        return tree
    builder = repo.TreeBuilder(folder) if folder is not None else repo.TreeBuilder()
    if isinstance(wanted, pygit2.Blob):
        builder.insert(name, wanted.id, FileMode.BLOB)
    elif builder.get(name) is not None:
        builder.remove(name)
    top = repo.TreeBuilder(tree)
    if len(builder):
        top.insert(folder_name, builder.write(), FileMode.TREE)
    elif folder is not None:
        top.remove(folder_name)
    return tree_at(repo, top.write())


def _at(tree: pygit2.Tree, path: str) -> pygit2.Object | None:
    try:
        return tree[path]
    except KeyError:
        return None


def _tree(repo: pygit2.Repository, index: pygit2.Index) -> pygit2.Tree:
    conflicting = _conflicting(index)
    if conflicting:
        raise MergeConflict(conflicting)
    return tree_at(repo, index.write_tree(repo))


def _conflicting(index: pygit2.Index) -> tuple[str, ...]:
    conflicts = index.conflicts or ()
    paths = {entry.path for conflict in conflicts for entry in conflict if entry is not None}
    return tuple(sorted(paths))
