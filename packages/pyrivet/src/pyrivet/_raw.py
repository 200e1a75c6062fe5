"""Plain HTTP to an actor: what `Actor.on_request` takes and gives."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field

from pyrivet._body import RequestBody


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
    incoming: RequestBody = field(repr=False)

    async def body(self) -> bytes:
        """Return the whole body.

        Raises ActionError `message_too_big` past `ActorOptions.max_message_bytes`, and
        ClientGone.
        """
        return await self.incoming.read()

    def stream(self) -> AsyncIterator[bytes]:
        """Return the body piece by piece, of any length; the client waits until each is taken.

        Can be read once, and only until the answer begins: the engine takes no more of a request
        then. Iterating raises ClientGone when the body ends too early.
        """
        return self.incoming.chunks()


@dataclass(frozen=True)
class Response:
    """The answer to a Request; text is sent as UTF-8.

    A body that is an async iterable is sent piece by piece, as fast as the client takes it. It is
    closed when the client leaves, takes nothing for `ActorOptions.write_timeout`, or the actor
    stops. Where the engine does not stream (gateway version 2), it is collected first, up to
    16 MiB.
    """

    body: bytes | str | AsyncIterable[bytes | str] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
