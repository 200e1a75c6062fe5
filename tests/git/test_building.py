import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growqr.git.building import Built, build_tree, built_before
from growqr.git.forge import Change
from growqr.git.objects import tree_at
from growqr.git.paths import PathInvalid

names = st.sampled_from(["a", "b", "c", "d.md", "ü"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.one_of(st.none(), st.binary(max_size=20))
commits = st.lists(st.dictionaries(paths, contents, max_size=6), max_size=5)


@contextmanager
def repository() -> Iterator[pygit2.Repository]:
    with tempfile.TemporaryDirectory() as folder:
        yield pygit2.init_repository(folder, bare=True)


def tree_of(repo: pygit2.Repository, built: Built) -> pygit2.Tree:
    return tree_at(repo, built.tree_id)


def files(tree: pygit2.Tree, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in tree:
        path = f"{prefix}{entry.name}"
        if isinstance(entry, pygit2.Tree):
            below = files(entry, path + "/")
            assert below, "git has no empty folders"
            found |= below
        elif isinstance(entry, pygit2.Blob):
            found[path] = entry.data
    return found


def clashes(held: dict[str, bytes]) -> bool:
    """Whether a name is a file and a folder at once."""
    folders = {
        "/".join(path.split("/")[:depth])
        for path in held
        for depth in range(1, path.count("/") + 1)
    }
    return bool(folders & set(held))


@settings(max_examples=150)
@given(commits)
def test_a_row_of_commits_leaves_what_a_dictionary_would_hold(
    requests: list[dict[str, bytes | None]],
) -> None:
    with repository() as repo:
        tree = tree_at(repo, repo.TreeBuilder().write())
        expected: dict[str, bytes] = {}
        for request in requests:
            changes = [Change(path, content) for path, content in request.items()]
            kept = {path: held for path, held in expected.items() if path not in request}
            after = kept | {path: data for path, data in request.items() if data is not None}
            folders_deleted = [
                path
                for path, data in request.items()
                if data is None and any(other.startswith(path + "/") for other in expected)
            ]
            if clashes(after) or folders_deleted:
                with pytest.raises(PathInvalid):
                    build_tree(repo, tree, changes)
            else:
                built = build_tree(repo, tree, changes)
                before, tree = tree, tree_of(repo, built)
                assert files(tree) == after
                expected = after
                # What was noted on the way is what comparing the two trees tells.
                compared = built_before(tree, before)
                assert sorted(built.paths) == sorted(compared.paths)
                assert set(built.objects) == set(compared.objects)


def test_modes_are_written_and_unchanged_folders_are_shared() -> None:
    with repository() as repo:
        first = [Change("run.sh", b"#!", executable=True), Change("a/x", b"1"), Change("b/y", b"2")]
        before = tree_of(repo, build_tree(repo, None, first))
        after = tree_of(repo, build_tree(repo, before, [Change("a/x", b"3")]))
        assert before["run.sh"].filemode == 0o100755
        assert before["a/x"].filemode == 0o100644
        assert before["b"].id == after["b"].id


def test_a_path_twice_in_one_commit_is_refused() -> None:
    with repository() as repo, pytest.raises(PathInvalid):
        build_tree(repo, None, [Change("a", b"1"), Change("a", b"2")])


def test_a_file_below_a_link_is_refused() -> None:
    with repository() as repo:
        builder = repo.TreeBuilder()
        builder.insert("link", repo.create_blob(b"/etc"), 0o120000)
        base = tree_at(repo, builder.write())
        with pytest.raises(PathInvalid):
            build_tree(repo, base, [Change("link/passwd", b"x")])
