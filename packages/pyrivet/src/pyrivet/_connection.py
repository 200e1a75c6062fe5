"""A client's WebSocket to an actor."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._encodings import JSON, Encoding, encoding_offered
from pyrivet._tunnel import Channel
from pyrivet.errors import ProtocolError

if TYPE_CHECKING:
    from pyrivet._runtime import ActorRun

_MAX_EARLY_FRAMES = 64
_MAX_SUBSCRIPTIONS = 1_000
_PART_SECONDS = 2.0
MAX_SENT_BYTES = 16 << 20
"""The engine closes a socket at 20 MiB in one message."""

CLOSED_BY_ACTOR = 1000
POLICY = 1008
TOO_BIG = 1009


class Connection:
    """One client that is connected to an actor."""

    def __init__(
        self,
        run: "ActorRun",
        channel: Channel,
        opened: p.ClientOpen,
        on_closed: Callable[[bytes], None],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.params: Mapping[str, Any] = {}
        """What the client gave as connection parameters."""
        self.encoding: Encoding = JSON
        self.admitted = False
        self.closed = False
        self._run = run
        self.channel = channel
        self._opened = opened
        self._on_closed = on_closed
        self._last_index = 0
        self._early: list[p.SocketMessage] = []
        self._before_init: list[bytes] = []
        self._subscriptions: set[str] = set()
        self._unsent = 0
        self._gone = asyncio.Event()

    async def send(self, name: str, *args: Any) -> None:
        """Send an event to this client alone, whether or not it subscribed to it."""
        frame = self.encoding.event(name, _wire.dump(list(args)))
        if self.admitted:
            self.post(frame)
        elif len(self._before_init) < self._run.options.max_unsent_events:
            self._before_init.append(frame)  # clients expect Init first
        else:
            self.close(POLICY, "too slow")

    def close(self, code: int = CLOSED_BY_ACTOR, reason: str = "") -> None:
        """End the connection; `on_disconnect` follows."""
        if not self.closed:
            self.channel.send(p.SocketClose(code, reason, hibernate=False))
            self._dropped()

    # What follows is for this package only.

    def greet(self) -> None:
        """Accept the socket and read how the client wants to talk; raises ProtocolError."""
        self.channel.send(p.SocketOpen(can_hibernate=False))
        headers = {name.lower(): value for name, value in self._opened.headers.items()}
        offered = headers.get("sec-websocket-protocol", "")
        if urlsplit(self._opened.path).path != "/connect":
            raise ProtocolError("the only WebSocket is /connect")
        self.encoding = encoding_offered(offered)
        self.params = _wire.unquote_params(offered)

    def admit(self) -> None:
        """Let the client in and handle what it has sent meanwhile."""
        self.admitted = True
        for frame in [self.encoding.init(self._run.id, self.id), *self._before_init]:
            self.post(frame)
        self._before_init.clear()
        early, self._early = self._early, []
        for message in early:
            self._handle(message)

    def post(self, frame: bytes) -> None:
        """Queue a frame; a client that does not keep up is dropped."""
        if self.closed:
            return
        if self._unsent >= self._run.options.max_unsent_events:
            self.close(POLICY, "too slow")
        elif len(frame) > MAX_SENT_BYTES:
            self.close(TOO_BIG, "message too big")
        else:
            self._unsent += 1
            self.channel.send(p.SocketMessage(frame, self.encoding.binary), self._sent)

    def subscribed(self, name: str) -> bool:
        return name in self._subscriptions

    def receive(self, message_id: p.MessageId, kind: p.FromClient) -> None:
        """Take what the client's side says."""
        match kind:
            case p.SocketMessage():
                self._take(message_id, kind)
            case p.ClientClose():
                self._dropped()

    def broken(self) -> p.ToClient:
        """End, as messages may be lost; returns what to tell the client."""
        self._dropped()
        return p.SocketClose(1012, "envoy.reconnected", hibernate=False)

    def _take(self, message_id: p.MessageId, message: p.SocketMessage) -> None:
        """Take a frame of the client; a gap in their numbers ends the connection."""
        if self.closed:
            return
        expected = (self._last_index + 1) & 0xFFFF
        if message_id.message_index != expected:
            self.close(POLICY, "message lost")
            return
        self._last_index = expected
        if self.admitted:
            self._handle(message)
        elif len(self._early) < _MAX_EARLY_FRAMES:
            self._early.append(message)
        else:
            self.close(POLICY, "too many messages before Init")

    async def part(self, reason: str) -> None:
        """Close, and wait until the engine has closed the client's socket too.

        Once it hears that an actor has stopped, it drops what it has not yet sent to clients.
        """
        if not self.closed:
            self.channel.send(p.SocketClose(CLOSED_BY_ACTOR, reason, hibernate=False))
            self._end()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PART_SECONDS):
                    await self._gone.wait()
            self._on_closed(self.channel.id)

    def _dropped(self) -> None:
        """Note that the socket is gone."""
        self._gone.set()
        if not self.closed:
            self._on_closed(self.channel.id)
            self._end()

    def _end(self) -> None:
        self.closed = True
        self._early.clear()
        self._run.audience.closed(self)

    def _handle(self, message: p.SocketMessage) -> None:
        too_big = len(message.data) > self._run.options.max_message_bytes
        try:
            tag, value = self.encoding.read_frame(message.data)
            match tag, value:
                case "ActionRequest", {"id": int(number)} if too_big:
                    text = f"over {self._run.options.max_message_bytes} bytes"
                    self._fail("message_too_big", text, number)
                case "ActionRequest", {"id": int(number), "name": str(name), "args": list(args)}:
                    self._run.audience.answer(self, number, name, args)
                case "SubscriptionRequest", {"eventName": str(name), "subscribe": bool(wanted)}:
                    self._subscribe(name, wanted)
                case _:
                    raise ProtocolError(f"unknown message {tag}")
        except ProtocolError as error:
            self._fail("invalid_message", str(error), None)
            self.close(POLICY, "invalid message")

    def _fail(self, code: str, message: str, number: int | None) -> None:
        self.post(self.encoding.failure("actor", code, message, None, number))

    def _subscribe(self, name: str, wanted: bool) -> None:
        if not wanted:
            self._subscriptions.discard(name)
        elif len(self._subscriptions) < _MAX_SUBSCRIPTIONS:
            self._subscriptions.add(name)
        else:
            raise ProtocolError("too many subscriptions")

    def _sent(self) -> None:
        self._unsent -= 1
