"""What one side of a comparison adds, as plain values."""

from typing import Literal

import pygit2
from pygit2.enums import DeltaStatus, FileMode

from growqr.git.forge import Diff, FileDiff

MAX_FILES = 300
MAX_FILE_BYTES = 512 * 1024
"""Larger files are listed without a patch."""
MAX_PATCH_CHARS = 100_000
MAX_TOTAL_CHARS = 1_000_000

_STATUS: dict[int, Literal["added", "modified", "deleted", "renamed"]] = {
    DeltaStatus.ADDED: "added",
    DeltaStatus.DELETED: "deleted",
    DeltaStatus.RENAMED: "renamed",
}


def compare(repo: pygit2.Repository, base: pygit2.Commit, head: pygit2.Commit) -> Diff:
    """See `Forge.diff`."""
    start = repo.merge_base(base.id, head.id) or base.id
    before = repo[start]
    assert isinstance(before, pygit2.Commit)
    diff = before.tree.diff_to_tree(head.tree)
    count = len(diff)
    if count <= MAX_FILES:
        diff.find_similar()
        count = len(diff)
    room = MAX_TOTAL_CHARS
    files: list[FileDiff] = []
    for index, delta in enumerate(diff.deltas):
        if index == MAX_FILES:
            break
        file = _file(repo, diff, index, delta, min(room, MAX_PATCH_CHARS))
        room -= len(file.patch or "")
        files.append(file)
    return Diff(str(start), str(head.id), tuple(files), truncated=count > MAX_FILES)


def _file(
    repo: pygit2.Repository, diff: pygit2.Diff, index: int, delta: pygit2.DiffDelta, room: int
) -> FileDiff:
    path = delta.new_file.raw_path.decode(errors="replace")
    old = delta.old_file.raw_path.decode(errors="replace")
    additions = deletions = 0
    text: str | None = None
    if all(_size(repo, side) <= MAX_FILE_BYTES for side in (delta.old_file, delta.new_file)):
        patch = diff[index]
        if patch is not None:
            _, additions, deletions = patch.line_stats
            text = patch.data.decode(errors="replace")
            if patch.delta.is_binary or len(text) > room:
                text = None
    status = _STATUS.get(delta.status, "modified")
    return FileDiff(path, old if old != path else None, status, additions, deletions, text)


def _size(repo: pygit2.Repository, side: pygit2.DiffFile) -> int:
    if side.mode in (FileMode.UNREADABLE, FileMode.COMMIT):
        return 0
    _, size = repo.odb.read_header(side.id)
    return int(size)
