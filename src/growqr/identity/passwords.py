"""Password hashing: argon2id, away from the event loop."""

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from growqr.errors import Unavailable

T = TypeVar("T")

_AT_ONCE = 2
"""Each hash takes 64 MiB for its duration: a flood of logins must not take all memory."""
MOST_WAITING = 100
"""That is about five seconds of work; who comes later would have gone before it is their turn."""


class PasswordsBusy(Unavailable):
    """More people log in at this moment than can be served."""

    code = "logins_busy"
    title = "Too many people are logging in"


class Passwords:
    """Hashes and checks passwords; a check costs the same whether or not the user exists.

    Every method raises PasswordsBusy when too many wait already.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        return await self._in_turn(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether `password` made the hash `stored`; None (no such user) is never right."""
        if self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        known = stored or self._nobody
        right = await self._in_turn(lambda: self._verify(known, _normal(password)))
        return right and stored is not None

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise PasswordsBusy("Too many people log in right now. Try again.", retry_after=5)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """The same characters typed on different keyboards are the same password (RFC 8265)."""
    return unicodedata.normalize("NFC", password)
