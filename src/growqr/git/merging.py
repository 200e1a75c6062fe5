"""Trees for merges and reverts, made in memory."""

import pygit2

from growqr.git.forge import MergeConflict, NotUndoable


def merged_tree(repo: pygit2.Repository, ours: pygit2.Commit, theirs: pygit2.Commit) -> pygit2.Tree:
    """The tree of a three-way merge. Raises MergeConflict."""
    return _tree(repo, repo.merge_commits(ours, theirs))


def rejoined_tree(
    repo: pygit2.Repository, base: pygit2.Tree, ours: pygit2.Tree, theirs: pygit2.Tree
) -> pygit2.Tree:
    """The tree of a three-way merge of trees. Raises MergeConflict."""
    return _tree(repo, repo.merge_trees(base, ours, theirs))


def reverted_tree(
    repo: pygit2.Repository, undone: pygit2.Commit, head: pygit2.Commit
) -> pygit2.Tree:
    """The tree of `head` without what `undone` changed (against its first parent).

    Raises:
        MergeConflict: later commits changed the same lines.
        NotUndoable: it is a first commit.
    """
    if not undone.parent_ids:
        raise NotUndoable("the first commit of a repository can't be undone")
    mainline = 1 if len(undone.parent_ids) > 1 else 0
    return _tree(repo, repo.revert_commit(undone, head, mainline))


def _tree(repo: pygit2.Repository, index: pygit2.Index) -> pygit2.Tree:
    if index.conflicts is not None:
        paths = {
            entry.path for conflict in index.conflicts for entry in conflict if entry is not None
        }
        raise MergeConflict(sorted(paths))
    tree = repo[index.write_tree(repo)]
    assert isinstance(tree, pygit2.Tree)
    return tree
