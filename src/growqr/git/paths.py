"""The one rule for paths inside a repository."""

import re
import unicodedata

from growqr.errors import InvalidInput

MAX_PATH_BYTES = 1024
MAX_COMPONENT_BYTES = 255
MAX_DEPTH = 32

# What HFS+ ignores when it compares names (as in git's `next_hfs_char`, utf8.c): with these
# removed, `.g\u200cit` is `.git` on a Mac.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_RESERVED = frozenset({".git", "git~1", ".gitmodules", "gitmod~1"})


class PathInvalid(InvalidInput):
    """A path that no repository of ours may hold; `path` is shown back, escaped."""

    code = "path_invalid"
    title = "The path is not allowed"

    def __init__(self, path: str, why: str) -> None:
        shown = ascii(path[:200])[1:-1]
        super().__init__(f"`{shown}` {why}", path=shown)


def check_path(path: str) -> str:
    """Return `path` if a commit may write it: relative, `/` between plain names, UTF-8.

    Refused are `..` and `.`, empty names, control characters, backslashes, and every spelling
    that some file system reads as `.git` or `.gitmodules` (case, HFS+ ignorable characters,
    NTFS short names, streams, and dots or spaces at the end).

    Raises:
        PathInvalid: with the reason in words.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise PathInvalid(path, "is not valid UTF-8") from None
    if not path:
        raise PathInvalid(path, "is empty")
    if size > MAX_PATH_BYTES:
        raise PathInvalid(path, f"is longer than {MAX_PATH_BYTES} bytes")
    if "\\" in path:
        raise PathInvalid(path, "has a backslash")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise PathInvalid(path, "has a control character")
    names = path.split("/")
    if len(names) > MAX_DEPTH:
        raise PathInvalid(path, f"is deeper than {MAX_DEPTH} folders")
    for name in names:
        _check_name(path, name)
    return path


def _check_name(path: str, name: str) -> None:
    if name in ("", ".", ".."):
        raise PathInvalid(path, "must be relative, without empty, `.` or `..` parts")
    if len(name.encode()) > MAX_COMPONENT_BYTES:
        raise PathInvalid(path, f"has a name longer than {MAX_COMPONENT_BYTES} bytes")
    if spellings(name) & _RESERVED:
        raise PathInvalid(path, "uses a name that Git keeps for itself")


def spellings(name: str) -> frozenset[str]:
    """Return what file systems that are lax about names take `name` for: HFS+ and NTFS."""
    on_hfs = unicodedata.normalize("NFC", _HFS_IGNORED.sub("", name)).casefold()
    on_ntfs = name.split(":", 1)[0].rstrip(" .").casefold()
    return frozenset((on_hfs, on_ntfs))


def is_valid_path(path: str) -> bool:
    """Whether `check_path` accepts it."""
    try:
        check_path(path)
    except PathInvalid:
        return False
    return True
