"""Public SSH keys that may read (or write) a repository.

They work where there is an SSH server: Gitea's own, or the host's in front of the embedded forge
(`growqr.git.ssh`).
"""

import base64
import binascii
import re

from sqlalchemy import delete, func, select

from growqr.db.engine import Database
from growqr.db.tables import DeployKey
from growqr.errors import InvalidInput, NotFound, TooMany
from growqr.git.forge import Forge, RepoRef
from growqr.ids import new_id

_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_MIN_RSA_BITS = 2048
_MAX_KEY_CHARS = 4096
MAX_PER_REPO = 50


class KeyInvalid(InvalidInput):
    """Not a public key in OpenSSH's one-line form."""

    code = "deploy_key_invalid"


class TooManyKeys(TooMany):
    """The repository has as many keys as it may have."""

    code = "too_many_deploy_keys"
    retryable = False


def check_public_key(text: str) -> str:
    """Return `TYPE BASE64` of an OpenSSH public key (RFC 4253, section 6.6), without comment.

    Raises:
        KeyInvalid: with the reason; private keys, DSA and RSA below 2048 bits are refused.
    """
    if len(text) > _MAX_KEY_CHARS or "PRIVATE KEY" in text:
        raise KeyInvalid("send the public key, the one line of the `.pub` file")
    match = re.fullmatch(r"(\S+) +([A-Za-z0-9+/]+=*)(?: +[^\r\n]*)?", text.strip())
    if match is None or match[1] not in _TYPES:
        raise KeyInvalid(f"the key must be one line that begins with one of {sorted(_TYPES)}")
    kind, encoded = match[1], match[2]
    try:
        fields = _fields(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise KeyInvalid("the key is damaged") from error
    if len(fields) < 2 or fields[0] != kind.encode():
        raise KeyInvalid("the key is damaged")
    if kind == "ssh-rsa":
        bits = int.from_bytes(fields[-1], "big").bit_length()
        if len(fields) != 3 or bits < _MIN_RSA_BITS:
            raise KeyInvalid(f"an RSA key needs at least {_MIN_RSA_BITS} bits")
    if kind == "ssh-ed25519" and (len(fields) != 2 or len(fields[1]) != 32):
        raise KeyInvalid("the key is damaged")
    return f"{kind} {encoded}"


def _fields(blob: bytes) -> list[bytes]:
    fields: list[bytes] = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("cut short")
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


class DeployKeys:
    """Keeps deploy keys, and gives them to a forge that has an SSH server."""

    def __init__(self, db: Database, forge: Forge) -> None:
        self._db = db
        self._forge = forge

    async def add(
        self, repo: RepoRef, *, title: str, public_key: str, read_only: bool = True
    ) -> DeployKey:
        """Store a key; the same key again returns what is stored.

        Raises:
            KeyInvalid, TooManyKeys, and as `Forge.add_deploy_key`.
        """
        key = check_public_key(public_key)
        mine = select(DeployKey).where(DeployKey.repo_id == repo.id)
        async with self._db.session() as session:
            same = await session.scalar(mine.where(DeployKey.public_key == key).limit(1))
            count = await session.scalar(select(func.count()).select_from(mine.subquery()))
        if same is not None:
            return same
        if (count or 0) >= MAX_PER_REPO:
            raise TooManyKeys(f"a repository has at most {MAX_PER_REPO} deploy keys")
        # The forge first: a key that is stored here works there.
        await self._forge.add_deploy_key(repo, title=title, public_key=key, read_only=read_only)
        row = DeployKey(
            id=new_id("key"), repo_id=repo.id, title=title, public_key=key, read_only=read_only
        )
        async with self._db.session() as session:
            session.add(row)
        return row

    async def remove(self, repo: RepoRef, key_id: str) -> None:
        """End a key. Raises NotFound."""
        which = (DeployKey.repo_id == repo.id, DeployKey.id == key_id)
        async with self._db.session() as session:
            row = await session.scalar(select(DeployKey).where(*which))
        if row is None:
            raise NotFound("there is no such key")
        # The forge first: a key that is gone here opens nothing there.
        await self._forge.remove_deploy_key(repo, public_key=row.public_key)
        async with self._db.session() as session:
            await session.execute(delete(DeployKey).where(*which))

    async def list(self, repo_id: str) -> list[DeployKey]:
        """The repository's keys, oldest first."""
        async with self._db.session() as session:
            return list(
                await session.scalars(
                    select(DeployKey).where(DeployKey.repo_id == repo_id).order_by(DeployKey.id)
                )
            )
