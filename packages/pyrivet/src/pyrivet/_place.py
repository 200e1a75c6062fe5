"""Where an actor is, as clients say it, and its addresses on the engine's gateway."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import cbor2


def checked_endpoint(endpoint: str) -> str:
    """Return the engine's address without a slash at its end; raises ValueError for none."""
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"the endpoint {endpoint!r} must begin with http:// or https://")
    return endpoint.rstrip("/")


def checked_key(key: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a key; raises TypeError for a string, which would be its letters."""
    if isinstance(key, str):
        raise TypeError(f"a key is a list of parts: [{key!r}]")
    return tuple(key)


@dataclass(frozen=True)
class ById:
    """An existing actor by the engine's id."""

    id: str


@dataclass(frozen=True)
class ByKey:
    """An actor by name and key; raises ValueError for a key that an address cannot carry."""

    name: str
    key: tuple[str, ...]
    create: bool
    """Whether the first call makes an actor that does not exist."""
    input: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.key or any(not part or "," in part for part in self.key):
            raise ValueError(f"{self.key!r}: a key has parts, not empty and without commas")


Place = ById | ByKey


@dataclass(frozen=True)
class Gateway:
    """The engine's gateway as one client uses it."""

    endpoint: str
    namespace: str
    pool: str

    def url(self, place: Place, path: str, *, scheme: str = "http", query: str = "") -> str:
        """Return the address of an actor's `path`, with `query` as the actor is to see it."""
        if isinstance(place, ById):
            target, found = place.id, ""
        else:
            target, found = place.name, urlencode(self._query(place))
        base = self.endpoint.replace("http", scheme, 1)
        search = "&".join(part for part in (query, found) if part)
        return f"{base}/gateway/{quote(target, safe='')}{path}" + (f"?{search}" if search else "")

    def _query(self, place: ByKey) -> dict[str, str]:
        query = {
            "rvt-namespace": self.namespace,
            "rvt-method": "getOrCreate" if place.create else "get",
            "rvt-key": ",".join(place.key),
        }
        if place.create:
            query["rvt-pool"] = self.pool
            if place.input is not None:
                packed = base64.urlsafe_b64encode(cbor2.dumps(place.input))
                query["rvt-input"] = packed.rstrip(b"=").decode()
        return query
