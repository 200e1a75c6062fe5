"""Keeping a workspace and `agents/coding/` of the repository in step.

Three maps from path to Git blob id decide everything, per file:

- `known`: the state on which workspace and repository last agreed
- `there`: the repository now
- `here`: the workspace now

What differs between `known` and `there` was done by a person (or another agent) and is brought
into the workspace before work begins; what differs between `known` and `here` was done by the
work and is committed after it. When both changed a file, the repository's version is taken: it
is the one that somebody was promised to keep.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from growqr.git.forge import Change, TreeEntry
from growqr.git.nested import parts_of_repositories
from growqr.git.paths import is_valid_path
from growqr.opencode.files import SKIPPED_FOLDERS
from growqr.opencode.types import WorkspaceFile

FOLDER = "agents/coding"

_MADE_BY_TOOLS = SKIPPED_FOLDERS | {"venv", ".tox", ".cache"}


def blob_id(content: bytes) -> str:
    """Return the id that Git gives a file with this content."""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def is_product(path: str) -> bool:
    """Whether the path may hold work, rather than what tools leave behind."""
    names = path.split("/")
    return not (_MADE_BY_TOOLS.intersection(names) or names[-1].endswith((".pyc", ".pyo")))


def ids_of(files: Sequence[WorkspaceFile]) -> dict[str, str]:
    """Return `here` for the files of a workspace."""
    return {file.path: blob_id(file.content) for file in files if is_product(file.path)}


def ids_in_tree(entries: Sequence[TreeEntry], *, max_bytes: int) -> dict[str, str]:
    """Return `there` for a recursive listing of FOLDER; links and huge files stay out."""
    prefix = f"{FOLDER}/"
    return {
        entry.path.removeprefix(prefix): entry.oid
        for entry in entries
        if entry.type == "file"
        and entry.size <= max_bytes
        and entry.path.startswith(prefix)
        and is_product(entry.path)
    }


@dataclass(frozen=True)
class Incoming:
    """What has to happen in the workspace before work begins."""

    write: tuple[str, ...]
    delete: tuple[str, ...]


def incoming(
    *, known: Mapping[str, str], there: Mapping[str, str], here: Mapping[str, str]
) -> Incoming:
    """Return what the repository has that the workspace lacks; an empty one gets everything."""
    if not here:
        return Incoming(write=tuple(sorted(there)), delete=())
    moved = {path for path in known.keys() | there.keys() if known.get(path) != there.get(path)}
    stale = {path for path in moved if here.get(path) != there.get(path)}
    return Incoming(
        write=tuple(sorted(stale & there.keys())), delete=tuple(sorted(stale - there.keys()))
    )


@dataclass(frozen=True)
class Outgoing:
    """What the work leaves for the repository."""

    changes: Sequence[Change]
    refused: Mapping[str, str]
    """What can't be committed, with the reason."""
    known: Mapping[str, str]
    """The state on which workspace and repository agree once the changes are committed."""


def outgoing(
    files: Sequence[WorkspaceFile], *, known: Mapping[str, str], unread: Collection[str]
) -> Outgoing:
    """Return what to commit, and what can't be.

    A file of `known` that is gone is deleted, unless it is `unread`: there, but left out by the
    reader of the workspace (a link, too large). What is left out stays as it is on both sides.
    """
    product = {file.path: file for file in files if is_product(file.path)}
    gone = {name for name in known if name not in product and not _within(name, unread)}
    agreed = {name: oid for name, oid in known.items() if name not in gone}
    gits_own = parts_of_repositories(product.keys() | agreed.keys())
    changes: list[Change] = []
    refused: dict[str, str] = {}
    for name, file in sorted(product.items()):
        path, oid = f"{FOLDER}/{name}", blob_id(file.content)
        if known.get(name) == oid:
            continue
        if part := _within(name, gits_own):
            refused[part] = "part of a Git repository: git would obey its settings in a clone"
        elif not is_valid_path(path):
            refused[name] = "a repository can't hold a file of this name"
        else:
            changes.append(Change(path, file.content, executable=file.executable))
            agreed[name] = oid
    changes += [Change(f"{FOLDER}/{name}", None) for name in sorted(gone)]
    return Outgoing(changes, refused, agreed)


def _within(path: str, tops: Collection[str]) -> str | None:
    """Return which of `tops` is the path itself or a folder around it; None: none is."""
    names = path.split("/")
    above = ("/".join(names[:count]) for count in range(1, len(names) + 1))
    return next((top for top in above if top in tops), None)
