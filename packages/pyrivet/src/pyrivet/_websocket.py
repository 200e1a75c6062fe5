"""Raw WebSockets to an actor: what `Actor.on_websocket` talks with."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._socket import CLOSED_BY_ACTOR, POLICY, TOO_BIG, Socket
from pyrivet._tunnel import Channel
from pyrivet.errors import ClientGone

if TYPE_CHECKING:
    from pyrivet._runtime import ActorRun

PREFIX = "/websocket"
_MAX_WAITING = 256
_UNSENT_BYTES = 1 << 20  # more than this makes `send` wait


class WebSocket(Socket):
    """A client's WebSocket to `/websocket/{path}`; iterate over it to get its messages."""

    def __init__(
        self,
        run: "ActorRun",
        channel: Channel,
        opened: p.ClientOpen,
        on_closed: Callable[[bytes], None],
    ) -> None:
        super().__init__(channel, run.options, on_closed)
        address = urlsplit(opened.path)
        self.path = address.path.removeprefix(PREFIX) or "/"
        """Below `/websocket`, with the leading slash."""
        self.query = address.query
        """Without the question mark; not decoded."""
        self.headers = {name.lower(): value for name, value in opened.headers.items()}
        """Names in lower case."""
        self.params: Mapping[str, Any] = {}
        """What the client gave as connection parameters."""
        self._run = run
        self._waiting: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def receive(self) -> str | bytes:
        """Return the next message; raises ClientGone when the socket has ended."""
        while not self._waiting:
            if self.closed:
                raise ClientGone("the WebSocket has ended")
            self._news.clear()
            await self._news.wait()
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        return message

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield messages until the socket ends."""
        while True:
            try:
                message = await self.receive()
            except ClientGone:
                return
            yield message

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes, after waiting for what is before it; raises ClientGone."""
        data = message.encode() if isinstance(message, str) else message
        while not self.closed and self._unsent_bytes >= _UNSENT_BYTES:
            self._room.clear()
            await self._room.wait()
        if self.closed:
            raise ClientGone("the WebSocket has ended")
        self.post(data, binary=isinstance(message, bytes))

    def close(self, code: int = CLOSED_BY_ACTOR, reason: str = "") -> None:
        """End it; what the client sent before can still be received."""
        super().close(code, reason)

    # What follows is for this package only.

    def greet(self) -> None:
        """Accept the socket and read the client's parameters; raises ProtocolError."""
        self.open(hibernates=False)
        self.params = _wire.unquote_params(self.headers.get("sec-websocket-protocol", ""))

    def take(self, message: p.SocketMessage) -> bool:
        limit = self._run.options.max_message_bytes
        if len(message.data) > limit:
            self.close(TOO_BIG, "message too big")
        elif self._waiting and (
            len(self._waiting) >= _MAX_WAITING or self._waiting_bytes + len(message.data) > limit
        ):
            self.close(POLICY, "too fast")
        else:
            text_or_bytes = message.data if message.binary else message.data.decode()
            self._waiting.append(text_or_bytes)
            self._waiting_bytes += len(text_or_bytes)
            self._news.set()
        return True

    def sent(self) -> None:
        super().sent()
        self._room.set()

    def ended(self) -> None:
        self._news.set()
        self._room.set()
        self._run.audience.socket_closed(self)
