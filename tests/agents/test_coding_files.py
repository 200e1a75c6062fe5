"""What workspace and repository owe each other."""

import subprocess
from pathlib import Path

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
    changes, refused = outgoing(files, known=known, unread={"link"})
    assert [(c.path, c.content, c.executable) for c in changes] == [
        ("agents/coding/changed", b"2", False),
        ("agents/coding/new", b"1", True),
        ("agents/coding/gone", None, False),
    ]
    assert not refused


def test_names_that_a_repository_refuses_are_told() -> None:
    changes, refused = outgoing([file("a/.GIT/config"), file("b")], known={}, unread=())
    assert [change.path for change in changes] == ["agents/coding/b"]
    assert list(refused) == ["a/.GIT/config"]


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
