"""Bodies of HTTP requests and responses, within the windows that the engine grants.

Both directions count bytes from the start of the body. Whoever receives reports how much it has
consumed; whoever sends stays less than `WINDOW_BYTES` ahead of that.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing

from pyrivet import _protocol as p
from pyrivet._outcome import Refusal
from pyrivet._tunnel import Channel
from pyrivet.errors import ClientGone

WINDOW_BYTES = 1 << 20
_CHUNK_BYTES = 64 << 10
# The gateway counts a chunk for a moment after it has reported it as taken, and what is over its
# limits it breaks off: 1 MiB, and some hundred messages.
_AHEAD_BYTES = WINDOW_BYTES - _CHUNK_BYTES
_AHEAD_MESSAGES = 256
# Not for each chunk: messages cost the engine more than bytes.
_REPORT_BYTES = WINDOW_BYTES // 4


class RequestBody:
    """What a client sends; at most a window of it is held."""

    def __init__(self, channel: Channel, start: p.RequestStart, max_bytes: int) -> None:
        self._channel = channel
        self._max_bytes = max_bytes
        self._held = deque([start.body] if start.body else [])
        self._complete = not start.stream
        self._gone = False
        self._consumed = 0
        self._reported = 0
        self._news = asyncio.Event()

    def receive(self, chunk: p.BodyChunk) -> None:
        if not self._complete:
            if chunk.body:
                self._held.append(chunk.body)
            self._complete = chunk.finish
            self._news.set()

    def drop(self) -> None:
        """Hold nothing any more and take nothing: the client or the connection is gone."""
        self._gone = self._gone or not self._complete
        self._held.clear()
        self._complete = True
        self._news.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield it as it comes; whoever stops before the end spares the client the rest."""
        try:
            while True:
                while self._held:
                    chunk = self._held.popleft()
                    yield chunk
                    self._consume(len(chunk))
                if self._gone:
                    raise ClientGone(
                        "the client left, or was answered, in the middle of its request"
                    )
                if self._complete:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            if not self._complete:
                self._channel.send(p.BodyCancel())
                self.drop()

    async def read(self) -> bytes:
        """Return all of it; raises ClientGone, Refusal `message_too_big`."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > self._max_bytes:
                raise Refusal("message_too_big", f"the body is over {self._max_bytes} bytes")
        return bytes(body)

    def _consume(self, size: int) -> None:
        self._consumed += size
        if not self._complete and self._consumed - self._reported >= _REPORT_BYTES:
            self._reported = self._consumed
            self._channel.send(p.WindowUpdate(self._consumed))


class ResponseBody:
    """What a client gets piece by piece, as fast as it takes it."""

    def __init__(self, channel: Channel, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout
        self._sent = 0
        self._consumed = 0
        self._under_way: deque[int] = deque()
        """Up to which byte each message goes that the client has not yet taken whole."""
        self._more = asyncio.Event()

    def grant(self, consumed: int) -> None:
        """Note how much the client has taken."""
        self._consumed = max(self._consumed, consumed)
        while self._under_way and self._under_way[0] <= self._consumed:
            self._under_way.popleft()
        self._more.set()

    async def send(self, data: bytes) -> None:
        """Send once there is room; raises ClientGone when there is none for too long."""
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            await self._room(len(chunk))
            self._sent += len(chunk)
            self._under_way.append(self._sent)
            self._channel.send(p.BodyChunk(chunk, finish=False))

    def finish(self) -> None:
        self._channel.send(p.BodyChunk(b"", finish=True))

    async def _room(self, size: int) -> None:
        while (
            self._sent + size > self._consumed + _AHEAD_BYTES
            or len(self._under_way) >= _AHEAD_MESSAGES
        ):
            self._more.clear()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._more.wait()
            except TimeoutError:
                raise ClientGone(f"the client took nothing for {self._timeout:g} s") from None


async def once(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body that is there already."""
    yield body


async def pieces(body: AsyncIterable[bytes | str]) -> AsyncGenerator[bytes, None]:
    """Yield what an author's body consists of, text as UTF-8; closes it at the end."""
    try:
        async for piece in body:
            yield piece.encode() if isinstance(piece, str) else piece
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()


async def collect(body: AsyncIterable[bytes | str], max_bytes: int) -> bytes:
    """Return a whole body; raises Refusal `output_too_big`."""
    whole = bytearray()
    async with aclosing(pieces(body)) as parts:
        async for part in parts:
            whole += part
            if len(whole) > max_bytes:
                raise Refusal("output_too_big", f"the answer is over {max_bytes} bytes")
    return bytes(whole)
