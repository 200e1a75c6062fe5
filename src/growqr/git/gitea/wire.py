"""The bytes of Git's smart protocol that we speak ourselves.

A push of ours is one request: where the branch is, where it goes, and a pack of what is new
(https://git-scm.com/docs/pack-protocol). The forge's REST interface can't say "only if the
branch is still there", carry our signatures, or make a merge; this can.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pygit2

NO_OBJECT = "0" * 40
_FLUSH = b"0000"
_KINDS = {1: 1, 2: 2, 3: 3, 4: 4}
"""libgit2's numbers of commit, tree, blob and tag are those of a pack."""


class WireInvalid(Exception):
    """The other side did not answer in Git's protocol."""


@dataclass(frozen=True, slots=True)
class Move:
    """A ref that goes from one object (None: does not exist) to another."""

    ref: str
    old: str | None
    new: str


def push_request(
    repo: pygit2.Repository, move: Move, objects: Sequence[pygit2.Oid]
) -> Iterator[bytes]:
    """The body of a push, in pieces."""
    command = f"{move.old or NO_OBJECT} {move.new} {move.ref}\0report-status agent=growqr"
    yield _line(command.encode())
    yield _FLUSH
    yield from _pack(repo, objects)


def _pack(repo: pygit2.Repository, objects: Sequence[pygit2.Oid]) -> Iterator[bytes]:
    unique = list(dict.fromkeys(objects))
    digest = hashlib.sha1(usedforsecurity=False)
    head = b"PACK" + (2).to_bytes(4, "big") + len(unique).to_bytes(4, "big")
    digest.update(head)
    yield head
    for oid in unique:
        kind, data = repo.read(oid)
        piece = _header(_KINDS[int(kind)], len(data)) + zlib.compress(data, 1)
        digest.update(piece)
        yield piece
    yield digest.digest()


def _header(kind: int, size: int) -> bytes:
    """An object's kind and size: four bits of the size in the first byte, seven in the rest."""
    byte, size = (kind << 4) | (size & 15), size >> 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def push_error(answer: bytes, ref: str) -> str | None:
    """Why the push was refused; None: it was taken. Raises WireInvalid."""
    lines = [line.decode(errors="replace").rstrip("\n") for line in _lines(answer)]
    if not lines or not lines[0].startswith("unpack "):
        raise WireInvalid("the answer to a push has no report")
    if lines[0] != "unpack ok":
        return lines[0].removeprefix("unpack ")
    for line in lines[1:]:
        if line == f"ok {ref}":
            return None
        if line.startswith(f"ng {ref} "):
            return line.removeprefix(f"ng {ref} ")
    raise WireInvalid("the answer to a push does not name the ref")


def branch_heads(advertisement: bytes) -> dict[str, str]:
    """Branches and the commits they point at, as `info/refs` lists them. Raises WireInvalid."""
    lines = list(_lines(advertisement))
    if not lines or not lines[0].startswith(b"# service="):
        raise WireInvalid("the list of refs does not begin as it must")
    heads: dict[str, str] = {}
    for line in lines[1:]:
        sha, _, name = line.partition(b"\0")[0].strip().partition(b" ")
        if name.startswith(b"refs/heads/") and len(sha) == len(NO_OBJECT):
            try:
                heads[name.removeprefix(b"refs/heads/").decode()] = sha.decode("ascii")
            except UnicodeDecodeError:  # can't be named in a request either
                continue
    return heads


def _line(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


def _lines(data: bytes) -> Iterable[bytes]:
    place = 0
    while place < len(data):
        try:
            size = int(data[place : place + 4], 16)
        except ValueError:
            raise WireInvalid("not in Git's protocol") from None
        if size == 0:
            place += 4
            continue
        if size < 4 or place + size > len(data):
            raise WireInvalid("a line is cut short")
        yield data[place + 4 : place + size]
        place += size
