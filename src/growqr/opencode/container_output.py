"""What a container prints, as its engine sends it."""

import asyncio

import httpx

_FRAME_HEAD = 8


class Printed:
    """What a container prints: frames of a kind, a length and that many bytes.

    Nothing is read ahead, so a container that prints without end waits for its reader.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._chunks = answer.aiter_raw()
        self._head = b""
        self._left = 0
        self._rest = b""
        self._reading: asyncio.Task[bytes] | None = None
        self._closed = False

    async def read(self, most: int) -> bytes:
        """Return the next piece, at most `most` bytes; empty at the end."""
        while True:
            if not self._rest:
                self._rest = await self._chunk()
                if not self._rest:
                    return b""
            if self._left:
                piece = self._rest[: min(most, self._left)]
                self._left -= len(piece)
                self._rest = self._rest[len(piece) :]
                return piece
            missing = _FRAME_HEAD - len(self._head)
            self._head, self._rest = self._head + self._rest[:missing], self._rest[missing:]
            if len(self._head) == _FRAME_HEAD:
                self._left, self._head = int.from_bytes(self._head[4:], "big"), b""

    async def aclose(self) -> None:
        """End the reading; who reads now gets the end.

        Closing the answer alone would leave a reader waiting for ever where the engine has
        not noticed the container's end itself.
        """
        self._closed = True
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._answer.aclose()

    async def _chunk(self) -> bytes:
        """Return the next bytes of the answer; empty at the end."""
        if self._closed:
            return b""
        self._reading = asyncio.create_task(self._receive())
        try:
            return await self._reading
        except asyncio.CancelledError:
            if self._closed:
                return b""
            raise

    async def _receive(self) -> bytes:
        try:
            while not (chunk := await anext(self._chunks)):
                pass
            return chunk
        except (StopAsyncIteration, httpx.HTTPError, httpx.StreamError):
            return b""
