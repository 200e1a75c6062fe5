"""What workspace and repository owe each other."""

import subprocess
from pathlib import Path

import pytest

from growqr.agents.coding_files import blob_id, ids_in_tree, ids_of, incoming, outgoing
from growqr.git.forge import TreeEntry
from growqr.opencode.types import WorkspaceFile


def file(path: str, text: str = "x", executable: bool = False) -> WorkspaceFile:
    return WorkspaceFile(path, text.encode(), executable)


def test_a_blob_id_is_what_git_says(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello\n")
    said = subprocess.run(
        ["git", "hash-object", "f"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert blob_id(b"hello\n") == said.stdout.strip()


def test_an_empty_workspace_gets_everything() -> None:
    there = {"a.py": "1", "b.py": "2"}
    assert incoming(known=there, there=there, here={}).write == ("a.py", "b.py")


def test_only_what_a_person_changed_comes_in() -> None:
    needed = incoming(
        known={"same": "1", "edited": "1", "deleted": "1", "mine": "1"},
        there={"same": "1", "edited": "2", "mine": "1", "new": "3"},
        here={"same": "1", "edited": "1", "deleted": "1", "mine": "changed by a failed task"},
    )
    assert needed.write == ("edited", "new")
    assert needed.delete == ("deleted",)


def test_only_what_the_work_changed_goes_out() -> None:
    files = [file("same"), file("new", "1", executable=True), file("changed", "2")]
    known = {"same": blob_id(b"x"), "changed": "old", "gone": "old", "link/inside": "old"}
    out = outgoing(files, known=known, unread={"link"})
    assert [(c.path, c.content, c.executable) for c in out.changes] == [
        ("agents/coding/changed", b"2", False),
        ("agents/coding/new", b"1", True),
        ("agents/coding/gone", None, False),
    ]
    assert not out.refused
    assert out.known == {
        "same": blob_id(b"x"),
        "changed": blob_id(b"2"),
        "new": blob_id(b"1"),
        "link/inside": "old",  # else the next task would take it for news and overwrite the link
    }


def test_names_that_a_repository_refuses_are_told_and_stay_in_the_workspace() -> None:
    files = [file("a/.GIT/config"), file("b")]
    out = outgoing(files, known={}, unread=())
    assert [change.path for change in out.changes] == ["agents/coding/b"]
    assert list(out.refused) == ["a/.GIT/config"]
    assert incoming(known=out.known, there=out.known, here=ids_of(files)).delete == ()


BARE = ("HEAD", "config", "objects/ab/c", "refs/heads/main", "hooks/post-checkout")


@pytest.mark.parametrize("folder", ["", "deep/inner/"])
def test_no_part_of_a_repository_gets_into_a_commit(folder: str) -> None:
    files = [file(folder + name) for name in (*BARE, "mine.py")]
    out = outgoing(files, known={}, unread=())
    assert [change.path for change in out.changes] == [f"agents/coding/{folder}mine.py"]
    names = ("HEAD", "config", "hooks", "objects", "refs")
    assert list(out.refused) == [folder + name for name in names]


def test_a_repository_does_not_get_in_bit_by_bit() -> None:
    most = [file(f"inner/{name}") for name in BARE if name != "HEAD"]
    known = dict(outgoing(most, known={}, unread=()).known)
    assert "inner/config" in known
    changed = [*most[1:], file("inner/config", "[core]"), file("inner/HEAD")]
    out = outgoing(changed, known=known, unread=())
    assert (list(out.changes), set(out.refused)) == ([], {"inner/HEAD", "inner/config"})
    hidden = [file("inner/HEAD"), file("inner/refs/heads/main")]
    out = outgoing(hidden, known=known, unread={"inner/objects", "inner/config", "inner/hooks"})
    assert (list(out.changes), set(out.refused)) == ([], {"inner/HEAD"})


def test_what_tools_leave_behind_is_no_work_and_is_never_deleted() -> None:
    assert ids_of([file("pkg/__pycache__/a.pyc"), file("venv/bin/python")]) == {}
    there = ids_in_tree(
        [
            TreeEntry("agents/coding/a.py", "file", 1, "1"),
            TreeEntry("agents/coding/__pycache__/a.pyc", "file", 1, "2"),
            TreeEntry("agents/coding/link", "link", 0, "3"),
            TreeEntry("agents/coding/huge", "file", 100, "4"),
        ],
        max_bytes=10,
    )
    assert there == {"a.py": "1"}
