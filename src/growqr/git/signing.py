"""Signing commits: an Ed25519 key for each actor, in the form that Git and OpenSSH understand.

The format is OpenSSH's PROTOCOL.sshsig (https://github.com/openssh/openssh-portable), in the
namespace `git`, so `git verify-commit` checks it with an allowed signers file.
"""

import base64
import hashlib
import re
import struct
import textwrap
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from growqr.secret_files import own_secret

NAMESPACE = b"git"
KEY_TYPE = b"ssh-ed25519"
FOLDER = "signing"
"""Below `secrets/`: one private key a file, named for the actor."""
KNOWN = "known_signers"
"""Beside the keys: public keys of actors whose private keys are elsewhere or gone."""

Sign = Callable[[str, bytes], str | None]
"""Signs a commit's bytes for the author of that id; None: this author has no key."""

_MAGIC = b"SSHSIG"
_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_KEPT = 1024


class SignatureBroken(ValueError):
    """Not a signature of ours: another format, another key type, or not of these bytes."""


@dataclass(frozen=True, slots=True)
class KnownSigner:
    """A public key in OpenSSH's text form (`ssh-ed25519 AAAA…`) and whose it is."""

    author_id: str
    public_key: str

    def allowed_signers_line(self) -> str:
        """The line of an allowed signers file."""
        return f'{address_of(self.author_id)} namespaces="git" {self.public_key}'


class Signer:
    """The keys of one installation. A key is made when its author first signs; thread-safe."""

    def __init__(self, secrets: Path) -> None:
        self._folder = secrets / FOLDER
        self._keys: OrderedDict[str, Ed25519PrivateKey] = OrderedDict()
        self._lock = Lock()

    def sign(self, author_id: str, payload: bytes) -> str | None:
        """Return the armored signature of `payload`; None for what can't be an author's id."""
        if not _ID.match(author_id) or author_id == KNOWN:
            return None
        return signature(self._key(author_id), payload)

    def known(self) -> Iterator[KnownSigner]:
        """Every key of this installation, and every one that was imported."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if _ID.match(path.name) and path.name != KNOWN:
                yield KnownSigner(path.name, public_text(_read(path.read_text())))
        yield from self._imported()

    def add_known(self, signers: list[KnownSigner]) -> None:
        """Keep public keys that came from another installation."""
        there = set(self.known())
        lines = [f"{s.author_id} {s.public_key}\n" for s in signers if s not in there]
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / KNOWN).open("a") as file:
            file.writelines(lines)

    def _imported(self) -> Iterator[KnownSigner]:
        path = self._folder / KNOWN
        for line in path.read_text().splitlines() if path.exists() else []:
            author_id, _, public_key = line.partition(" ")
            yield KnownSigner(author_id, public_key)

    def _key(self, author_id: str) -> Ed25519PrivateKey:
        with self._lock:
            key = self._keys.get(author_id)
            if key is None:
                key = _read(own_secret(self._folder, author_id, _new_key))
                self._keys[author_id] = key
            self._keys.move_to_end(author_id)
            while len(self._keys) > _KEPT:
                self._keys.popitem(last=False)
            return key


def address_of(author_id: str) -> str:
    """The mail address in an author's commits; `.invalid` can't be anybody's (RFC 2606)."""
    return f"{author_id}@growqr.invalid"


def signature(key: Ed25519PrivateKey, payload: bytes) -> str:
    """Return the armored signature of `payload`."""
    made = _string(KEY_TYPE) + _string(key.sign(_signed(b"sha512", payload)))
    blob = b"".join(
        (
            _MAGIC,
            struct.pack(">I", 1),
            _string(_public_blob(key.public_key())),
            _string(NAMESPACE),
            _string(b""),
            _string(b"sha512"),
            _string(made),
        )
    )
    body = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"


def signer_of(armored: bytes, payload: bytes) -> str:
    """Return the public key, as text, that signed exactly these bytes.

    Raises SignatureBroken.
    """
    lines = armored.decode("ascii", errors="replace").strip().splitlines()
    if len(lines) < 3 or lines[0].strip() != "-----BEGIN SSH SIGNATURE-----":
        raise SignatureBroken("not an SSH signature")
    try:
        blob = base64.b64decode("".join(line.strip() for line in lines[1:-1]), validate=True)
        magic, rest = blob[:6], blob[10:]
        public, rest = _take(rest)
        namespace, rest = _take(rest)
        _, rest = _take(rest)
        algorithm, rest = _take(rest)
        made, _ = _take(rest)
        kind, after = _take(public)
        raw_key, _ = _take(after)
        made_kind, after = _take(made)
        raw_signature, _ = _take(after)
    except (ValueError, struct.error) as error:
        raise SignatureBroken("not an SSH signature") from error
    if magic != _MAGIC or namespace != NAMESPACE or algorithm not in _HASHES:
        raise SignatureBroken("a signature of another kind")
    if kind != KEY_TYPE or made_kind != KEY_TYPE:
        raise SignatureBroken("a key of another type")
    try:
        key = Ed25519PublicKey.from_public_bytes(raw_key)
        key.verify(raw_signature, _signed(algorithm, payload))
    except (InvalidSignature, ValueError) as error:
        raise SignatureBroken("not a signature of this commit") from error
    return _text_of_blob(public)


def public_text(key: Ed25519PrivateKey) -> str:
    """Return `ssh-ed25519 AAAA…`."""
    return _text_of_blob(_public_blob(key.public_key()))


def _signed(algorithm: bytes, payload: bytes) -> bytes:
    digest = _HASHES[algorithm](payload).digest()
    parts = (NAMESPACE, b"", algorithm, digest)
    return _MAGIC + b"".join(_string(part) for part in parts)


def _public_blob(key: Ed25519PublicKey) -> bytes:
    return _string(KEY_TYPE) + _string(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _text_of_blob(blob: bytes) -> str:
    return f"{KEY_TYPE.decode()} {base64.b64encode(blob).decode()}"


def _new_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _read(text: str) -> Ed25519PrivateKey:
    key = load_ssh_private_key(text.encode(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack_from(">I", data)
    if len(data) < 4 + size:
        raise ValueError("cut off")
    return data[4 : 4 + size], data[4 + size :]
