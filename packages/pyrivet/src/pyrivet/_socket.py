"""One WebSocket of a client, below what is spoken on it."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from pyrivet import _protocol as p
from pyrivet._tunnel import Channel
from pyrivet.actor import ActorOptions

MAX_SENT_BYTES = 16 << 20
"""The engine closes a socket at 20 MiB in one message. As much may wait to be sent."""

CLOSED_BY_ACTOR = 1000
POLICY = 1008
TOO_BIG = 1009
INTERNAL = 1011
RESTARTS = 1012

_PART_SECONDS = 2.0
_ACK_SECONDS = 5.0  # the engine closes a socket whose messages nobody takes for 30 s
_ACK_MESSAGES = 64


class Socket:
    """Orders what comes in, bounds what goes out, and lets the engine keep it while actors sleep.

    A message counts as taken once `take` has returned True, and is acknowledged a little later.
    One that was not taken comes again, to the actor's next generation.
    """

    def __init__(
        self,
        channel: Channel,
        options: ActorOptions,
        on_closed: Callable[[bytes], None],
    ) -> None:
        self.channel = channel
        self.closed = False
        self.last_index = 0
        """Of the client's last message that was taken."""
        self.hibernates = False
        self._refusing = False
        self._write_timeout = options.write_timeout.total_seconds()
        self._max_unsent = options.max_unsent_events
        self._on_closed = on_closed
        self._unsent: deque[tuple[float, int]] = deque()
        self._unsent_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._unacknowledged = 0
        self._ack_timer: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()

    def take(self, message: p.SocketMessage) -> bool:
        """Handle a message of the client; False when the actor takes none any more."""
        raise NotImplementedError

    def ended(self) -> None:
        """Note that nothing can be sent or received any more."""
        raise NotImplementedError

    def open(self, *, hibernates: bool) -> None:
        """Accept it, or go on with one that the engine has kept."""
        self.hibernates = hibernates
        self.channel.send(p.SocketOpen(can_hibernate=hibernates))

    def post(self, data: bytes, *, binary: bool) -> None:
        """Queue a message; a client that does not keep up is dropped."""
        if self.closed:
            return
        too_many = len(self._unsent) >= self._max_unsent
        if len(data) > MAX_SENT_BYTES:
            self.close(TOO_BIG, "message too big")
        elif too_many or self._unsent_bytes + len(data) > MAX_SENT_BYTES:
            self.close(POLICY, "too slow")
        else:
            loop = asyncio.get_running_loop()
            self._unsent.append((loop.time(), len(data)))
            self._unsent_bytes += len(data)
            if self._deadline is None:
                self._deadline = loop.call_later(self._write_timeout, self._check_deadline)
            self.channel.send(p.SocketMessage(data, binary), self.sent)

    def sent(self) -> None:
        """Note that the oldest message in the queue is on its way."""
        self._unsent_bytes -= self._unsent.popleft()[1]

    def close(self, code: int = CLOSED_BY_ACTOR, reason: str = "") -> None:
        """End it."""
        if not self.closed:
            self.channel.send(p.SocketClose(code, reason, hibernate=False))
            self._dropped()

    async def part(self, reason: str, code: int = CLOSED_BY_ACTOR) -> None:
        """Close, and wait until the engine has closed the client's socket too.

        Once it hears that an actor has stopped, it drops what it has not yet sent to clients.
        """
        if not self.closed:
            self.channel.send(p.SocketClose(code, reason, hibernate=False))
            self._end()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PART_SECONDS):
                    await self._gone.wait()
            self._on_closed(self.channel.id)

    def hibernate(self) -> None:
        """Leave it to the engine until the actor's next generation goes on with it.

        The engine keeps it when the actor stops. Told to by a message, it does so before it knows
        of the stop, and wakes the actor at once.
        """
        self._acknowledge()
        self._on_closed(self.channel.id)
        self._silence()

    def heard(self, message_id: p.MessageId, kind: p.FromClient) -> None:
        """Take what the client's side says; a gap in the numbers of messages ends it."""
        match kind:
            case p.SocketMessage() if not self.closed:
                self._number(message_id.message_index, kind)
            case p.ClientClose():
                self._dropped()

    def broken(self) -> p.ToClient:
        """End it, as messages may be lost; returns what to tell the client."""
        self._dropped()
        return p.SocketClose(RESTARTS, "envoy.reconnected", hibernate=False)

    def _number(self, index: int, message: p.SocketMessage) -> None:
        ahead = (index - self.last_index) & 0xFFFF
        if self._refusing:
            return  # all later ones come again too
        if ahead == 1:
            if self.take(message):
                self.last_index = index
                self._taken()
            else:
                self._refusing = True
        elif self.hibernates and not 0 < ahead < 0x8000:
            self._taken()  # by the generation before, whose acknowledgement was lost
        else:
            self.close(POLICY, "message lost")

    def _taken(self) -> None:
        if self.closed or not self.hibernates:
            return
        self._unacknowledged += 1
        if self._unacknowledged >= _ACK_MESSAGES:
            self._acknowledge()
        elif self._ack_timer is None:
            loop = asyncio.get_running_loop()
            self._ack_timer = loop.call_later(_ACK_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        if self._unacknowledged:
            self._unacknowledged = 0
            self.channel.send(p.SocketMessageAck(self.last_index))

    def _check_deadline(self) -> None:
        """Drop the client when its oldest message has waited for too long."""
        loop = asyncio.get_running_loop()
        self._deadline = None
        if self._unsent:
            left = self._unsent[0][0] + self._write_timeout - loop.time()
            if left <= 0:
                self.close(POLICY, "too slow")
            else:
                self._deadline = loop.call_later(left, self._check_deadline)

    def _dropped(self) -> None:
        self._gone.set()
        if not self.closed:
            self._on_closed(self.channel.id)
            self._end()

    def _end(self) -> None:
        self._silence()
        self.ended()

    def _silence(self) -> None:
        self.closed = True
        for timer in (self._deadline, self._ack_timer):
            if timer is not None:
                timer.cancel()
