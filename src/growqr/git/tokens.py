"""Tokens for clone and push over HTTP."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from sqlalchemy import delete, func, select

from growqr.db.engine import Database
from growqr.db.tables import GitToken
from growqr.errors import InvalidInput, NotFound, TooMany, Unauthenticated

Scope = Literal["read", "write"]
USERNAME = "grow"
"""What to send as the user name of HTTP basic auth; any other works too."""
DEFAULT_LIFE = timedelta(days=30)
MAX_LIFE = timedelta(days=365)
MAX_PER_REPO = 100


class TokenInvalid(Unauthenticated):
    """A Git token that is unknown or has expired."""

    code = "git_token_invalid"


class TokenLifeInvalid(InvalidInput):
    """A token can't live that long."""

    code = "git_token_life_invalid"


class TooManyTokens(TooMany):
    """The repository has as many tokens as it may have; revoke one."""

    code = "too_many_git_tokens"
    retryable = False


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token. `token` is shown this once: only its hash is kept."""

    id: str
    token: str
    scope: Scope
    expires_at: datetime
    username: str = USERNAME


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What can be said about a token later."""

    id: str
    scope: Scope
    created_at: datetime
    expires_at: datetime


class GitTokens:
    """Issues, lists, revokes and checks tokens; each belongs to one repository."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def issue(
        self, repo_id: str, scope: Scope, *, life: timedelta = DEFAULT_LIFE
    ) -> IssuedToken:
        """Make a token. Raises TokenLifeInvalid, TooManyTokens."""
        if not timedelta() < life <= MAX_LIFE:
            raise TokenLifeInvalid(f"a token lives at most {MAX_LIFE.days} days")
        text = f"ggt_{secrets.token_urlsafe(32)}"
        digest = _digest(text)
        now = datetime.now(UTC)
        async with self._db.session() as session:
            gone = GitToken.expires_at <= now
            await session.execute(delete(GitToken).where(GitToken.repo_id == repo_id, gone))
            mine = select(func.count()).select_from(GitToken).where(GitToken.repo_id == repo_id)
            if (await session.scalar(mine) or 0) >= MAX_PER_REPO:
                raise TooManyTokens(f"a repository has at most {MAX_PER_REPO} tokens; revoke one")
            row = GitToken(token_hash=digest, repo_id=repo_id, scope=scope, expires_at=now + life)
            session.add(row)
        return IssuedToken(_id(digest), text, scope, now + life)

    async def list(self, repo_id: str) -> list[TokenInfo]:
        """The repository's tokens that have not expired, newest first."""
        async with self._db.session() as session:
            rows = await session.scalars(
                select(GitToken)
                .where(GitToken.repo_id == repo_id, GitToken.expires_at > datetime.now(UTC))
                .order_by(GitToken.created_at.desc(), GitToken.token_hash)
            )
            return [
                TokenInfo(
                    _id(row.token_hash), cast("Scope", row.scope), row.created_at, row.expires_at
                )
                for row in rows
            ]

    async def revoke(self, repo_id: str, token_id: str) -> None:
        """End a token. Raises NotFound."""
        async with self._db.session() as session:
            hashes = await session.scalars(
                select(GitToken.token_hash).where(GitToken.repo_id == repo_id)
            )
            digest = next((digest for digest in hashes if _id(digest) == token_id), None)
            if digest is None:
                raise NotFound("there is no such token")
            await session.execute(delete(GitToken).where(GitToken.token_hash == digest))

    async def authenticate(self, repo_id: str, token: str) -> Scope | None:
        """What the token allows on this repository; None: it is a token of another one.

        Raises:
            TokenInvalid: no such token, or it has expired.
        """
        digest = _digest(token)
        async with self._db.session() as session:
            row = await session.get(GitToken, digest)
        # Found by its hash, so timing tells nothing about the text; compared all the same.
        if row is None or not hmac.compare_digest(row.token_hash, digest):
            raise TokenInvalid("the token is not valid")
        if row.expires_at <= datetime.now(UTC):
            raise TokenInvalid("the token has expired")
        if row.repo_id != repo_id:
            return None
        return "write" if row.scope == "write" else "read"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _id(digest: str) -> str:
    # A part of the hash names the token without being of use to log in.
    return f"gtk_{digest[:20]}"
