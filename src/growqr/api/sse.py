"""Server-sent events: heartbeats, and an end for clients that stop reading."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Annotated

import anyio
from fastapi import Header, Request
from sse_starlette import EventSourceResponse

from growqr.errors import InvalidInput

HEARTBEAT_SECONDS = 15
_SEND_SECONDS = 30
"""A client that takes no byte for this long is dropped; it resumes where it was."""

_SHUTDOWN_SECONDS = 2

LastEventId = Annotated[
    int | None,
    Header(ge=0, description="Where to go on, as browsers send it when they reconnect."),
]


def wants_json(request: Request) -> bool:
    """Whether the client asked for a page of JSON instead of a stream."""
    return "application/json" in request.headers.get("accept", "")


async def event_stream(
    source: AsyncGenerator[bytes], *, on_shutdown: Callable[[], Awaitable[None]]
) -> EventSourceResponse:
    """Answer with the encoded events of `source`.

    `source` runs until its first item here, so what it raises at its beginning still becomes
    a problem document; let it begin with OPENING once it is set up. When the
    server shuts down, `on_shutdown` has a moment to make `source` end, so that clients see a
    whole response.
    """
    shutdown = anyio.Event()

    async def end() -> None:
        await shutdown.wait()
        await on_shutdown()

    first = await anext(source, b"")

    async def whole() -> AsyncIterator[bytes]:
        try:
            yield first
            async for item in source:
                yield item
        finally:
            await source.aclose()

    return EventSourceResponse(
        whole(),
        ping=HEARTBEAT_SECONDS,
        send_timeout=_SEND_SECONDS,
        data_sender_callable=end,
        shutdown_event=shutdown,
        shutdown_grace_period=_SHUTDOWN_SECONDS,
    )


OPENING = b": connected\n\n"


def resume_from(after: int | None, last_event_id: int | None) -> int:
    """Return the number to go on after: the header wins, it is the newer of the two."""
    number = last_event_id if last_event_id is not None else (after or 0)
    if number >= 2**53:
        raise InvalidInput("`after` is not the number of an event.")
    return number
