import ctypes
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from growqr.opencode.files import FileLimits, delete_files, read_files, write_files
from growqr.opencode.types import TooManyFiles, UnsafePath, WorkspaceFailed, WorkspaceFile

LIMITS = FileLimits(max_file_bytes=1000, max_files=5)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "ws").mkdir()
    (tmp_path / "secret").write_text("host")
    return tmp_path / "ws"


def test_reads_files_with_their_executable_bit_sorted_by_path(root: Path) -> None:
    (root / "src").mkdir()
    (root / "src/tool").write_bytes(b"\x00\xff")
    (root / "src/tool").chmod(0o755)
    (root / "a.txt").write_text("a")
    assert read_files(root, LIMITS).files == [
        WorkspaceFile("a.txt", b"a"),
        WorkspaceFile("src/tool", b"\x00\xff", executable=True),
    ]


def test_leaves_out_git_and_caches_without_a_word(root: Path) -> None:
    for name in (".git", "node_modules", "__pycache__"):
        (root / name).mkdir()
        (root / name / "x").write_text("x")
    snapshot = read_files(root, LIMITS)
    assert (snapshot.files, snapshot.skipped) == ([], {})


def test_never_follows_or_reads_what_could_be_somebody_elses(root: Path) -> None:
    secret = root.parent / "secret"
    (root / "link").symlink_to(secret)
    (root / "folder").symlink_to(root.parent)
    os.link(secret, root / "hard")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        snapshot = read_files(root, LIMITS)
    assert snapshot.files == []
    assert set(snapshot.skipped) == {"link", "folder", "hard", "pipe", "socket"}


def test_names_that_are_no_text_are_left_out(root: Path) -> None:
    for name in (b"\xff.txt", b"new\nline", b"back\\slash"):
        (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_text("x")
    snapshot = read_files(root, LIMITS)
    assert snapshot.files == []
    assert len(snapshot.skipped) == 3


def test_a_large_file_is_left_out_and_named(root: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(10**12)
    assert read_files(root, LIMITS).skipped == {"sparse": "larger than 1000 bytes"}


def test_too_many_files_are_refused(root: Path) -> None:
    for i in range(6):
        (root / str(i)).touch()
    with pytest.raises(TooManyFiles, match="more than 5 files"):
        read_files(root, LIMITS)


def test_a_deep_tree_ends(root: Path) -> None:
    (root / "/".join(["d"] * 60)).mkdir(parents=True)
    assert list(read_files(root, LIMITS).skipped.values()) == ["deeper than 32 folders"]


def test_a_link_in_the_place_of_the_root_is_refused(root: Path) -> None:
    (root.parent / "other").symlink_to(root)
    with pytest.raises(NotADirectoryError):
        read_files(root.parent / "other", LIMITS)


def test_writes_what_it_reads(root: Path) -> None:
    files = [WorkspaceFile("a/b/run.sh", b"x", executable=True), WorkspaceFile("c", b"\x00")]
    write_files(root, files, LIMITS, owner=None)
    assert read_files(root, LIMITS).files == files


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_gives_files_and_new_folders_to_their_owner(root: Path) -> None:
    write_files(root, [WorkspaceFile("new/file", b"x")], LIMITS, owner=200_123)
    assert (root / "new").stat().st_uid == (root / "new/file").stat().st_uid == 200_123


@pytest.mark.parametrize(
    "path", ["", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/", ".git/config", "a\x00b"]
)
def test_paths_that_leave_the_workspace_are_refused(root: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        write_files(root, [WorkspaceFile(path, b"x")], LIMITS, owner=None)
    assert list(root.iterdir()) == []


def test_writing_crosses_no_link(root: Path) -> None:
    secret = root.parent / "secret"
    (root / "out").symlink_to(root.parent)
    with pytest.raises(UnsafePath, match="crosses a link"):
        write_files(root, [WorkspaceFile("out/secret", b"x")], LIMITS, owner=None)
    (root / "soft").symlink_to(secret)
    os.link(secret, root / "hard")
    replaced = [WorkspaceFile("soft", b"x"), WorkspaceFile("hard", b"x")]
    write_files(root, replaced, LIMITS, owner=None)
    assert secret.read_text() == "host"
    assert not (root / "soft").is_symlink()


def test_a_link_that_comes_and_goes_is_never_followed(root: Path) -> None:
    """What runs inside swaps a folder with a link while the platform reads and writes."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("host")
    (root / "d").mkdir()
    (root.parent / "link").symlink_to(outside)
    both = [os.fsencode(path) for path in (root / "d", root.parent / "link")]
    exchange = ctypes.CDLL(None).renameat2
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            exchange(-100, both[0], -100, both[1], 2)  # AT_FDCWD, RENAME_EXCHANGE

    swapping = threading.Thread(target=swap)
    swapping.start()
    results: set[str] = set()
    try:
        while len(results) < 2:  # both came: the folder and the link
            try:
                write_files(root, [WorkspaceFile("d/secret", b"inside")], LIMITS, owner=None)
                results.add("written")
            except (UnsafePath, WorkspaceFailed):
                results.add("refused")
            with suppress(OSError):
                delete_files(root, ["d/secret"])
            for file in read_files(root, LIMITS).files:
                assert file.content == b"inside"
    finally:
        done.set()
        swapping.join()
    assert [entry.name for entry in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "host"


def test_a_file_does_not_replace_a_folder(root: Path) -> None:
    (root / "d").mkdir()
    with pytest.raises(UnsafePath):
        write_files(root, [WorkspaceFile("d", b"x")], LIMITS, owner=None)
    assert [entry.name for entry in root.iterdir()] == ["d"]


def test_deletes_files_and_crosses_no_link(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a/b").touch()
    (root / "out").symlink_to(root.parent)
    delete_files(root, ["a/b", "absent", "out/secret", "a"])
    assert (root.parent / "secret").exists()
    assert sorted(entry.name for entry in root.iterdir()) == ["a", "out"]
    assert list((root / "a").iterdir()) == []
    with pytest.raises(UnsafePath):
        delete_files(root, ["../secret"])


def test_limits_hold_for_writing_too(root: Path) -> None:
    with pytest.raises(TooManyFiles):
        write_files(root, [WorkspaceFile("a", b"x" * 1001)], LIMITS, owner=None)
    with pytest.raises(TooManyFiles):
        write_files(root, [WorkspaceFile(str(i), b"") for i in range(6)], LIMITS, owner=None)
    assert list(root.iterdir()) == []
