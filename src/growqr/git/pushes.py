"""Who pushed which commits: a record of each push, kept before Git sees it.

A commit that a person made with Git carries any name they like. What vouches for it is that it
came with a token of the repository's owner, so the gateway writes that down.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import Push, Repo
from growqr.git.forge import Forge
from growqr.git.refs import is_sha
from growqr.git.repos import ref_of
from growqr.ids import new_id

Told = Callable[[Sequence[str]], Awaitable[None]]
_MAX_COMMANDS = 1024 * 1024
_NO_OBJECT = "0" * 40


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one push brought: what `heads` lead to and `known`, the branches until then, do not."""

    user_id: str
    heads: tuple[str, ...]
    known: tuple[str, ...]


class Pushes:
    """Keeps the records."""

    def __init__(self, db: Database, forge: Forge) -> None:
        self._db = db
        self._forge = forge

    async def record(self, repo_id: str, heads: Sequence[str]) -> None:
        """Keep that the repository's owner sends these commits; durable when this returns.

        That Git then refuses the push takes nothing away from who has sent them.
        """
        async with self._db.session() as session:
            repo = await session.get(Repo, repo_id)
        if repo is None:
            return
        known = {branch.head for branch in await self._forge.branches(ref_of(repo))}
        async with self._db.session() as session:
            session.add(
                Push(
                    id=new_id("psh"),
                    repo_id=repo.id,
                    user_id=repo.owner_id,
                    heads=" ".join(heads),
                    known=" ".join(sorted(known)),
                )
            )


async def pushes_of(db: Database, repo_id: str) -> list[Pushed]:
    """Return what was pushed to one repository, oldest first."""
    async with db.session() as session:
        rows = await session.scalars(
            select(Push).where(Push.repo_id == repo_id).order_by(Push.at, Push.id)
        )
        return [
            Pushed(row.user_id, tuple(row.heads.split()), tuple(row.known.split())) for row in rows
        ]


async def watched(body: AsyncGenerator[bytes, None], told: Told) -> AsyncGenerator[bytes, None]:
    """Pass the body of a push on; before its first byte `told` hears where branches shall go."""
    begin = b""
    reading = True
    async with aclosing(body) as pieces:
        async for data in pieces:
            if not reading:
                yield data
                continue
            begin += data
            heads = new_heads(begin)
            if heads is None and data and len(begin) <= _MAX_COMMANDS:
                continue
            reading = False
            if heads:
                await told(heads)
            if begin:
                yield begin
            if not data:
                yield data


def new_heads(begin: bytes) -> list[str] | None:
    """Return where a push wants branches, by the list that it begins with.

    None: the list goes on behind `begin`. What is no such list is Git's to refuse.
    """
    heads: list[str] = []
    at = 0
    while True:
        try:
            size = int(begin[at : at + 4], 16) if len(begin) >= at + 4 else None
        except ValueError:
            return []
        if size is None or at + size > len(begin):
            return None
        if size < 4:
            return list(dict.fromkeys(heads))
        words = begin[at + 4 : at + size].partition(b"\0")[0].decode(errors="replace").split()
        if len(words) == 3 and words[2].startswith("refs/heads/"):
            new = words[1]
            if is_sha(new) and new != _NO_OBJECT:
                heads.append(new)
        at += size
