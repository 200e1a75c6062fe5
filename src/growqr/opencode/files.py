"""Reads and writes a workspace from outside, while the program inside may be hostile.

No path is ever opened as a whole: each folder is opened relative to its parent's descriptor
with O_NOFOLLOW, so a link that appears at any moment is refused instead of followed. Only
regular files with a single name count: a second hard link could belong to somebody else.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from growqr.opencode.types import (
    Snapshot,
    TooManyFiles,
    UnsafePath,
    WorkspaceFailed,
    WorkspaceFile,
)

SKIPPED_FOLDERS = frozenset(
    {".git", "node_modules", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)
_MAX_ENTRIES = 50_000
_MAX_DEPTH = 32
_MAX_TOTAL_BYTES = 128 * 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe must not wait for its other end
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class FileLimits:
    max_file_bytes: int
    max_files: int


def read_files(root: Path, limits: FileLimits) -> Snapshot:
    """Read every regular file below `root`, sorted by path; caches and `.git` are left out.

    Raises:
        TooManyFiles: more files, entries or bytes than a commit takes.
    """
    reader = _Reader(limits)
    with _opened(root) as folder:
        reader.walk(folder, prefix="", depth=0)
    reader.files.sort(key=lambda file: file.path)
    return Snapshot(reader.files, reader.skipped)


class _Reader:
    def __init__(self, limits: FileLimits) -> None:
        self.files: list[WorkspaceFile] = []
        self.skipped: dict[str, str] = {}
        self._limits = limits
        self._entries = 0
        self._bytes = 0

    def walk(self, folder: int, *, prefix: str, depth: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._entries += 1
                if self._entries > _MAX_ENTRIES:
                    raise TooManyFiles(f"The workspace has more than {_MAX_ENTRIES} entries.")
                path = prefix + entry.name
                if not _is_text(entry.name):
                    self._skip(ascii(path), "its name is not text")
                elif entry.is_symlink():
                    self._skip(path, "a link")
                elif not entry.is_dir(follow_symlinks=False):
                    self._read(folder, entry.name, path)
                elif entry.name in SKIPPED_FOLDERS:
                    continue
                elif depth >= _MAX_DEPTH:
                    self._skip(path, f"deeper than {_MAX_DEPTH} folders")
                else:
                    self._enter(folder, entry.name, path, depth)

    def _enter(self, folder: int, name: str, path: str, depth: int) -> None:
        try:
            child = os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            self._skip(path, os.strerror(error.errno or 0))
            return
        try:
            self.walk(child, prefix=f"{path}/", depth=depth + 1)
        finally:
            os.close(child)

    def _read(self, folder: int, name: str, path: str) -> None:
        try:
            number = os.open(name, _READ, dir_fd=folder)
        except OSError as error:  # a socket, or a file that just became a link or went away
            self._skip(path, os.strerror(error.errno or 0))
            return
        with os.fdopen(number, "rb") as file:
            facts = os.fstat(number)
            limit = self._limits.max_file_bytes
            if not stat.S_ISREG(facts.st_mode):
                self._skip(path, "not a regular file")
            elif facts.st_nlink != 1:
                self._skip(path, "has a second hard link")
            elif facts.st_size > limit or len(content := file.read(limit + 1)) > limit:
                self._skip(path, f"larger than {limit} bytes")
            else:
                self._take(WorkspaceFile(path, content, bool(facts.st_mode & stat.S_IXUSR)))

    def _take(self, file: WorkspaceFile) -> None:
        self._bytes += len(file.content)
        if self._bytes > _MAX_TOTAL_BYTES:
            raise TooManyFiles(f"The workspace's files have more than {_MAX_TOTAL_BYTES} bytes.")
        if len(self.files) >= self._limits.max_files:
            raise TooManyFiles(f"The workspace has more than {self._limits.max_files} files.")
        self.files.append(file)

    def _skip(self, path: str, reason: str) -> None:
        if len(self.skipped) < self._limits.max_files:
            self.skipped[path] = reason


def write_files(
    root: Path, files: Sequence[WorkspaceFile], limits: FileLimits, *, owner: int | None
) -> None:
    """Write files below `root`, each in one step; `owner` is the host uid that gets them.

    Raises:
        UnsafePath: a path is absolute, leaves `root`, or crosses a link.
        TooManyFiles: too many of them, or one too large.
    """
    if len(files) > limits.max_files:
        raise TooManyFiles(f"At most {limits.max_files} files can be written at once.")
    for file in files:
        if len(file.content) > limits.max_file_bytes:
            raise TooManyFiles(f"`{file.path}` has more than {limits.max_file_bytes} bytes.")
    plan = [(_names(file.path), file) for file in files]
    with _opened(root) as folder:
        for names, file in plan:
            _write(folder, names, file, owner)


def delete_files(root: Path, paths: Sequence[str]) -> None:
    """Delete files below `root`; what is absent, or behind a link, is left alone.

    Folders stay: an empty one is nothing to Git.

    Raises:
        UnsafePath: a path is absolute or leaves `root`.
    """
    plan = [_names(path) for path in paths]
    with _opened(root) as folder:
        for names in plan:
            _delete(folder, names)


def _delete(root: int, names: list[str]) -> None:
    folder = os.dup(root)
    try:
        for name in names[:-1]:
            child = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = child
        os.unlink(names[-1], dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR):
            raise
    finally:
        os.close(folder)


def _write(root: int, names: list[str], file: WorkspaceFile, owner: int | None) -> None:
    folder = os.dup(root)
    try:
        for name in names[:-1]:
            folder = _descend(folder, name, file.path, owner)
        temporary = f".growqr-{secrets.token_hex(8)}"
        number = os.open(temporary, _CREATE, 0o600, dir_fd=folder)
        try:
            with os.fdopen(number, "wb") as out:
                out.write(file.content)
                os.fchmod(number, 0o755 if file.executable else 0o644)
                if owner is not None:
                    os.fchown(number, owner, owner)
            # a rename replaces the name, so it writes through no link, hard or symbolic
            os.rename(temporary, names[-1], src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.ENOTDIR):
                raise UnsafePath(f"`{file.path}` is a folder.") from error
            raise WorkspaceFailed(f"`{file.path}` can't be written: {error.strerror}.") from error
    finally:
        os.close(folder)


def _descend(folder: int, name: str, path: str, owner: int | None) -> int:
    """Open the folder `name`, made if missing; closes `folder` when it succeeds."""
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
        made = True
    except FileExistsError:
        made = False
    try:
        child = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise UnsafePath(f"`{path}` crosses a link or a file.") from error
        raise
    if made and owner is not None:
        os.fchown(child, owner, owner)
    os.close(folder)
    return child


def _names(path: str) -> list[str]:
    names = path.split("/")
    bad = {"", ".", ".."}
    if any(name in bad or not _is_text(name) or len(os.fsencode(name)) > 255 for name in names):
        raise UnsafePath(f"`{path[:200]}` is not a path inside the workspace.")
    if len(names) > _MAX_DEPTH or names[0] == ".git":
        raise UnsafePath(f"`{path[:200]}` can't be written.")
    return names


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\\" not in name and name.isprintable()


@contextmanager
def _opened(root: Path) -> Iterator[int]:
    number = os.open(root, _FOLDER)
    try:
        yield number
    finally:
        os.close(number)
