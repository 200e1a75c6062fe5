"""The key-value store of an actor, which lives in the engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyrivet import _protocol as p
from pyrivet._envoy import Envoy
from pyrivet.errors import DatabaseError

MAX_KEYS = 128
"""The engine's limit on keys of one call."""
MAX_VALUE_BYTES = 131_072
MAX_KEY_BYTES = 2_046
MAX_PUT_BYTES = 976 << 10


class KeyValue:
    """Small values by key. Repeating a call does no harm, so broken connections are hidden.

    Unlike the database it does not refuse a generation of the actor that has been replaced:
    keep what must never be overwritten by a straggler in the database.
    """

    def __init__(self, envoy: Envoy, actor_id: str) -> None:
        self._envoy = envoy
        self._actor_id = actor_id

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that exist. Raises DatabaseError."""
        _check(keys)
        answer = await self._ask(p.KvGet(list(keys)))
        return dict(zip(answer.keys, answer.values, strict=True))

    async def list(self, prefix: bytes = b"", *, limit: int = 1000) -> dict[bytes, bytes]:
        """Return values by key, in the order of keys, of keys that begin with `prefix`."""
        query = p.KvPrefix(prefix) if prefix else p.KvAll()
        answer = await self._ask(p.KvList(query, None, limit))
        return dict(zip(answer.keys, answer.values, strict=True))

    async def put(self, values: Mapping[bytes, bytes]) -> None:
        """Write all values or none. Raises DatabaseError, also for values over the limits."""
        _check(values)
        if any(len(value) > MAX_VALUE_BYTES for value in values.values()):
            raise DatabaseError(f"a value is over the limit of {MAX_VALUE_BYTES} bytes")
        if sum(len(k) + len(v) for k, v in values.items()) > MAX_PUT_BYTES:
            raise DatabaseError(f"values are together over the limit of {MAX_PUT_BYTES} bytes")
        await self._ask(p.KvPut([*values], [*values.values()]))

    async def delete(self, keys: Sequence[bytes]) -> None:
        """Remove keys; missing ones are no error. Raises DatabaseError."""
        _check(keys)
        await self._ask(p.KvDelete([*keys]))

    async def _ask(self, operation: p.KvOperation) -> Any:
        def make(request_id: int) -> p.KvRequest:
            return p.KvRequest(self._actor_id, request_id, operation)

        answer = await self._envoy.request(make, repeat=True)
        if isinstance(answer, p.KvFailure):
            raise DatabaseError(answer.message)
        return answer


def _check(keys: Sequence[bytes] | Mapping[bytes, bytes]) -> None:
    if len(keys) > MAX_KEYS:
        raise DatabaseError(f"{len(keys)} keys are over the limit of {MAX_KEYS}")
    if any(len(key) > MAX_KEY_BYTES for key in keys):
        raise DatabaseError(f"a key is over the limit of {MAX_KEY_BYTES} bytes")
