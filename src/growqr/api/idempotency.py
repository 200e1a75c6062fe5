"""Writes that a client may repeat: the first answer is kept and given again.

Messages don't need this: their key travels to the agent, which stores it with the message.
"""

import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.exc import IntegrityError

from growqr.api.deps import services_of
from growqr.db.engine import Database
from growqr.db.tables import IdempotencyKey, User
from growqr.errors import Conflict, InvalidInput
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenInvalid

_KEPT = timedelta(hours=24)
_ABANDONED = timedelta(seconds=120)
"""A first request that has not finished by then died with its process; the slowest take 60."""

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by the client. A repeat with the same key happens once.",
    ),
]


class IdempotencyKeyInvalid(InvalidInput):
    """The key is not 1 to 200 visible ASCII characters."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReused(InvalidInput):
    """The key belongs to another request."""

    code = "idempotency_key_reused"
    status = 422


class StillRunning(Conflict):
    """The first request with this key has not finished."""

    code = "idempotency_in_progress"


class IdempotentRoute(APIRoute):
    """A route whose successful answers to POST are repeated for the same `Idempotency-Key`.

    Answers marked `Cache-Control: no-store` (they hold a secret) are not kept: there, a
    repeat runs again. Refusals and failures are not kept either.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handle

        async def once(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            user = await _caller(request) if key is not None else None
            if key is None or user is None:  # without a user the route itself answers 401
                return await handle(request)
            if not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
                raise IdempotencyKeyInvalid(
                    "`Idempotency-Key` must be 1 to 200 visible ASCII characters."
                )
            kept = _Kept(services_of(request).db, user.user_id, key, await _fingerprint(request))
            if (answer := await kept.claim()) is not None:
                return answer
            done = False
            try:
                response = await handle(request)
                secret = "no-store" in response.headers.get("cache-control", "")
                if response.status_code < 300 and not secret:
                    await kept.store(response)
                    done = True
            finally:
                if not done:
                    await kept.release()
            return response

        return once


async def _caller(request: Request) -> Principal | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    return await services_of(request).principal_of(token)


async def _fingerprint(request: Request) -> str:
    body = await request.body()
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    digest.update(body)
    return digest.hexdigest()


class _Kept:
    """The row of one key."""

    def __init__(self, db: Database, user_id: str, key: str, request_hash: str) -> None:
        self._db = db
        self._user_id = user_id
        self._key = key
        self._request_hash = request_hash
        self._mine = (IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)

    async def claim(self) -> Response | None:
        """Take the key for this request (None), or return the answer that is kept."""
        now = datetime.now(UTC)
        try:
            async with self._db.session() as session:
                await session.execute(
                    delete(IdempotencyKey).where(
                        IdempotencyKey.user_id == self._user_id,
                        IdempotencyKey.created_at < now - _KEPT,
                    )
                )
                session.add(
                    IdempotencyKey(
                        user_id=self._user_id,
                        key=self._key,
                        request_hash=self._request_hash,
                        status=None,
                        created_at=now,
                    )
                )
        except IntegrityError:
            return await self._earlier(now)
        return None

    async def _earlier(self, now: datetime) -> Response | None:
        async with self._db.session() as session:
            row = (await session.scalars(select(IdempotencyKey).where(*self._mine))).one_or_none()
            if row is not None and row.request_hash != self._request_hash:
                raise IdempotencyKeyReused("This key was used for another request.")
            if row is not None and row.status is not None:
                return Response(row.body, row.status, media_type="application/json")
            taken = await session.execute(
                update(IdempotencyKey)
                .where(*self._mine, IdempotencyKey.created_at < now - _ABANDONED)
                .values(created_at=now)
            )
            assert isinstance(taken, CursorResult)
            if taken.rowcount == 0:
                if await session.get(User, self._user_id) is None:
                    raise TokenInvalid("This account is gone. Please register again.")
                raise StillRunning("The first request with this key has not finished.")
        return None

    async def store(self, response: Response) -> None:
        async with self._db.session() as session:
            await session.execute(
                update(IdempotencyKey)
                .where(*self._mine)
                .values(status=response.status_code, body=bytes(response.body).decode())
            )

    async def release(self) -> None:
        async with self._db.session() as session:
            await session.execute(
                delete(IdempotencyKey).where(*self._mine, IdempotencyKey.status.is_(None))
            )
