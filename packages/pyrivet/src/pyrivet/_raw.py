"""Plain HTTP to an actor: what `Actor.on_request` takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A request to `/request/{path}` of an actor, as its client made it."""

    method: str
    path: str
    """Below `/request`, with the leading slash."""
    query: str
    """Without the question mark; not decoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Response:
    """The answer to a Request; text is sent as UTF-8."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
