"""Statuses of commits as Git notes: `git log --notes=growqr/status` shows them in a clone that
fetches `refs/notes/*`. They are packed, copied and backed up with the repository.

A note holds one JSON object a line, by context. No push may write them (`growqr.git.program`).
"""

from collections.abc import Iterator
from contextlib import suppress

import pygit2
from pydantic import TypeAdapter

from growqr.errors import InvalidInput
from growqr.git.building import build_tree, write_commit
from growqr.git.forge import PLATFORM, Change
from growqr.git.objects import commit_at, ref_target
from growqr.git.refs import is_sha
from growqr.git.signing import Sign
from growqr.git.statuses import MAX_CONTEXTS, CommitStatus, StatusInvalid, check_status

REF = "refs/notes/growqr/status"
_JSON = TypeAdapter(CommitStatus)


def read(git: pygit2.Repository, sha: pygit2.Oid) -> list[CommitStatus]:
    """What is kept of a commit, by context."""
    notes = ref_target(git, REF)
    return list(_parsed(commit_at(git, notes).tree, _path(sha))) if notes is not None else []


def every(git: pygit2.Repository) -> Iterator[tuple[str, CommitStatus]]:
    """Give all that is kept, with the SHA of the commit that it is about."""
    notes = ref_target(git, REF)
    for folder in commit_at(git, notes).tree if notes is not None else ():
        if isinstance(folder, pygit2.Tree):
            for note in folder:
                if is_sha(sha := f"{folder.name}{note.name}"):
                    yield from ((sha, status) for status in _parsed(folder, str(note.name)))


def add(
    git: pygit2.Repository,
    notes: pygit2.Oid | None,
    sha: pygit2.Oid,
    status: CommitStatus,
    sign: Sign | None,
) -> list[pygit2.Oid]:
    """Write the commit that REF, at `notes` now, is to point at; gives it and what is new with
    it, or nothing if the status is so already. Raises StatusInvalid.
    """
    before = commit_at(git, notes).tree if notes is not None else None
    path = _path(sha)
    known = {kept.context: kept for kept in _parsed(before, path)}
    if known.get(status.context) == status:
        return []
    known[status.context] = status
    if len(known) > MAX_CONTEXTS:
        raise StatusInvalid(f"a commit has at most {MAX_CONTEXTS} statuses")
    lines = (_line(known[context]) for context in sorted(known))
    built = build_tree(git, before, [Change(path, "".join(lines).encode())])
    message = f"status({status.context}): {status.state}, {sha}\n"
    parents = [notes] if notes is not None else []
    return [write_commit(git, PLATFORM, message, built.tree_id, parents, sign), *built.objects]


def _path(sha: pygit2.Oid) -> str:
    # As `git notes` does with many: it finds them so, and no folder grows large.
    name = str(sha)
    return f"{name[:2]}/{name[2:]}"


def _line(status: CommitStatus) -> str:
    return _JSON.dump_json(status).decode() + "\n"


def _parsed(tree: pygit2.Tree | None, path: str) -> Iterator[CommitStatus]:
    note = tree[path] if tree is not None and path in tree else None
    if not isinstance(note, pygit2.Blob):
        return
    for line in note.data.splitlines()[:MAX_CONTEXTS]:
        with suppress(ValueError, InvalidInput):  # an imported repository may hold anything
            status = _JSON.validate_json(line)
            check_status(status)
            yield status
