"""A client that speaks RivetKit's protocol with an actor over a WebSocket."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._encodings import JSON, Encoding, encoding_offered
from pyrivet._socket import CLOSED_BY_ACTOR, POLICY, Socket
from pyrivet._tunnel import Channel
from pyrivet.errors import ProtocolError

if TYPE_CHECKING:
    from pyrivet._runtime import ActorRun

_MAX_EARLY_FRAMES = 64
_LISTED_SECONDS = 5.0  # the engine lists a socket about 0.2 s after it was opened
# The engine drops what is sent to a client while it lays the socket aside and finds that the actor
# runs again already: 10 to 50 ms after a generation has left, longer on a busy machine.
_SETTLE_SECONDS = 1.0
_MAX_SUBSCRIPTIONS = 1_000


@dataclass(frozen=True)
class Kept:
    """What is stored of a connection while its actor sleeps."""

    id: str
    subprotocols: str
    subscriptions: list[str]
    last_index: int
    opened: float = 0.0
    """In seconds since the epoch, like `left`."""
    left: float = 0.0

    def dump(self) -> str:
        return json.dumps(asdict(self))


class Connection(Socket):
    """One client that is connected to an actor."""

    def __init__(
        self,
        run: "ActorRun",
        channel: Channel,
        opened: p.ClientOpen,
        on_closed: Callable[[bytes], None],
    ) -> None:
        super().__init__(channel, run.options, on_closed)
        self.id = uuid.uuid4().hex
        self.params: Mapping[str, Any] = {}
        """What the client gave as connection parameters."""
        self.encoding: Encoding = JSON
        self.admitted = False
        self._opened = time.time()
        self._run = run
        self._path = opened.path
        headers = {name.lower(): value for name, value in opened.headers.items()}
        self._subprotocols = headers.get("sec-websocket-protocol", "")
        self._early: list[p.SocketMessage] = []
        self._held: list[bytes] | None = []
        """Frames that wait until the client may be sent any."""
        self._released = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._left = 0.0
        self._subscriptions: set[str] = set()

    async def send(self, name: str, *args: Any) -> None:
        """Send an event to this client alone, whether or not it subscribed to it."""
        self.post_frame(self.encoding.event(name, _wire.dump(list(args))))

    def close(self, code: int = CLOSED_BY_ACTOR, reason: str = "") -> None:
        """End the connection; `on_disconnect` follows."""
        super().close(code, reason)

    # What follows is for this package only.

    @classmethod
    def restored(
        cls, run: "ActorRun", channel: Channel, text: str, on_closed: Callable[[bytes], None]
    ) -> "Connection":
        """Return a connection that was kept by the previous generation; see `keep`."""
        kept = Kept(**json.loads(text))
        headers = {"sec-websocket-protocol": kept.subprotocols}
        connection = cls(run, channel, p.ClientOpen(run.id, None, "/connect", headers), on_closed)
        connection._read_wishes()
        connection.id = kept.id
        connection.last_index = kept.last_index
        connection._opened = kept.opened
        connection._left = kept.left
        connection._subscriptions = set(kept.subscriptions)
        connection.admitted = True
        return connection

    def keep(self) -> str:
        """Return what the next generation needs to go on with it."""
        subscriptions = sorted(self._subscriptions)
        index = self.last_index
        opened, left = self._opened, time.time()
        return Kept(self.id, self._subprotocols, subscriptions, index, opened, left).dump()

    def resume(self) -> None:
        """Go on with it after `restored`; frames wait while the engine may drop them."""
        self.open(hibernates=True)
        wait = min(self._left + _SETTLE_SECONDS - time.time(), _SETTLE_SECONDS)
        if wait <= 0:
            self.release()
        else:
            self._settling = asyncio.get_running_loop().call_later(wait, self._settle)

    async def settled(self) -> None:
        """Wait until nothing waits that was to be sent."""
        if self._held:
            await self._released.wait()

    @property
    def young(self) -> bool:
        """Whether it is so new that the engine may not list it yet."""
        return time.time() - self._opened < _LISTED_SECONDS

    def greet(self) -> None:
        """Accept the socket and read how the client wants to talk; raises ProtocolError."""
        self.open(hibernates=self._run.options.hibernate)
        if urlsplit(self._path).path != "/connect":
            raise ProtocolError("the WebSockets are /connect and /websocket/{path}")
        self._read_wishes()

    def admit(self) -> None:
        """Let the client in and handle what it has sent meanwhile."""
        self.admitted = True
        self.post(self.encoding.init(self._run.id, self.id), binary=self.encoding.binary)
        self.release()
        early, self._early = self._early, []
        for message in early:
            self._handle(message)

    def release(self) -> None:
        """Send what was held back."""
        held = self._hold_no_more()
        for frame in held:
            self.post_frame(frame)

    def post_frame(self, frame: bytes) -> None:
        """Queue a frame, or hold it back until the client expects any."""
        if self._held is None:
            self.post(frame, binary=self.encoding.binary)
        elif len(self._held) < self._run.options.max_unsent_events:
            self._held.append(frame)
        else:
            self.close(POLICY, "too slow")

    def refuse(self, frame: bytes, reason: str) -> None:
        """Tell why the client is not let in, and close."""
        self.post(frame, binary=self.encoding.binary)
        self.close(POLICY, reason)

    def subscribed(self, name: str) -> bool:
        return name in self._subscriptions

    def hibernate(self) -> None:
        super().hibernate()
        self._hold_no_more()

    def take(self, message: p.SocketMessage) -> bool:
        if self.hibernates and not self._run.accepting:
            return False
        if self._settling is not None:
            self.release()  # what comes from the client has passed where it would be dropped
        if self.admitted:
            self._handle(message)
        elif len(self._early) < _MAX_EARLY_FRAMES:
            self._early.append(message)
        else:
            self.close(POLICY, "too many messages before Init")
        return True

    def ended(self) -> None:
        self._early.clear()
        self._hold_no_more()
        self._run.audience.closed(self)

    def _settle(self) -> None:
        self.open(hibernates=True)  # the first time may have been dropped
        self.release()

    def _hold_no_more(self) -> list[bytes]:
        held, self._held = self._held or [], None
        self._released.set()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        return held

    def _read_wishes(self) -> None:
        self.encoding = encoding_offered(self._subprotocols)
        self.params = _wire.unquote_params(self._subprotocols)

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
        self.post_frame(self.encoding.failure("actor", code, message, None, number))

    def _subscribe(self, name: str, wanted: bool) -> None:
        if not wanted:
            self._subscriptions.discard(name)
        elif len(self._subscriptions) < _MAX_SUBSCRIPTIONS:
            self._subscriptions.add(name)
        else:
            raise ProtocolError("too many subscriptions")
