"""Our half of the smart protocol against Git itself."""

import subprocess
from pathlib import Path

import pygit2
import pytest

from growqr.git.building import build_tree, write_commit
from growqr.git.forge import Author, Change
from growqr.git.gitea.wire import Move, WireInvalid, branch_heads, push_error, push_request

REF = "refs/heads/main"


def git(*args: str, stdin: bytes | None = None) -> bytes:
    return subprocess.run(["git", *args], input=stdin, check=True, capture_output=True).stdout


@pytest.fixture
def server(tmp_path: Path) -> Path:
    git("init", "-q", "--bare", "-b", "main", str(tmp_path / "server.git"))
    return tmp_path / "server.git"


@pytest.fixture
def mine(tmp_path: Path) -> pygit2.Repository:
    return pygit2.init_repository(tmp_path / "mine.git", bare=True)


def commit(repo: pygit2.Repository, changes: list[Change], parent: str | None) -> list[pygit2.Oid]:
    before = repo[parent].peel(pygit2.Tree) if parent else None
    built = build_tree(repo, before, changes)
    parents = [pygit2.Oid(hex=parent)] if parent else []
    made = write_commit(repo, Author("act_1", "Grow"), "write(x): y\n", built.tree_id, parents)
    return [made, *built.objects]


def push(
    server: Path, repo: pygit2.Repository, move: Move, objects: list[pygit2.Oid]
) -> str | None:
    body = b"".join(push_request(repo, move, objects))
    done = subprocess.run(
        ["git", "receive-pack", "--stateless-rpc", str(server)],
        input=body,
        capture_output=True,
        check=False,
    )
    return push_error(done.stdout, move.ref)


def heads(server: Path) -> dict[str, str]:
    listed = git("upload-pack", "--stateless-rpc", "--advertise-refs", str(server))
    return branch_heads(b"001e# service=git-upload-pack\n0000" + listed)


def test_a_push_arrives_whole_and_moves_only_from_where_it_began(
    server: Path, mine: pygit2.Repository
) -> None:
    assert heads(server) == {}
    # Sizes on both sides of where an object's header grows by a byte, and a file that is twice.
    files = [Change(f"d/{size}.bin", b"x" * size) for size in (0, 1, 15, 16, 2047, 2048, 300_000)]
    first = commit(mine, [*files, Change("copy", b"x" * 2048)], None)
    assert push(server, mine, Move(REF, None, str(first[0])), first) is None
    assert heads(server) == {"main": str(first[0])}
    assert b"error" not in git("--git-dir", str(server), "fsck", "--strict")
    assert git("--git-dir", str(server), "cat-file", "-s", "main:d/300000.bin") == b"300000\n"

    second = commit(mine, [Change("copy", None)], str(first[0]))
    late = commit(mine, [Change("late", b"1")], str(first[0]))
    assert push(server, mine, Move(REF, str(first[0]), str(second[0])), second) is None
    assert push(server, mine, Move(REF, str(first[0]), str(late[0])), late) is not None
    assert push(server, mine, Move("refs/heads/b", None, str(second[0])), []) is None
    assert heads(server) == {"main": str(second[0]), "b": str(second[0])}


def test_a_push_without_its_objects_is_refused(server: Path, mine: pygit2.Repository) -> None:
    made = commit(mine, [Change("a", b"1")], None)
    assert push(server, mine, Move(REF, None, str(made[0])), made[:1]) is not None
    assert heads(server) == {}


@pytest.mark.parametrize("answer", [b"", b"<html>", b"0000", b"000eunpack ok\n0000", b"00ffshort"])
def test_what_is_no_report_is_said_to_be_none(answer: bytes) -> None:
    with pytest.raises(WireInvalid):
        push_error(answer, REF)


@pytest.mark.parametrize("answer", [b"", b"not git at all", b"0000"])
def test_what_is_no_list_of_refs_is_said_to_be_none(answer: bytes) -> None:
    with pytest.raises(WireInvalid):
        branch_heads(answer)
