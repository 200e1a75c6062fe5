"""One HTTP request or WebSocket of a client, as the engine forwards it."""

from collections.abc import Callable

from pyrivet import _protocol as p
from pyrivet._envoy import Envoy


class Channel:
    """The way back to one client; numbers what is sent, as the engine demands."""

    def __init__(self, envoy: Envoy, opened: p.MessageId) -> None:
        self.id = channel_id(opened)
        self._envoy = envoy
        self._opened = opened
        self._next_index = 0

    def send(self, kind: p.ToClient, sent: Callable[[], None] | None = None) -> None:
        """Queue a message; `sent` is called once it is on its way or dropped."""
        opened, index = self._opened, self._next_index
        self._next_index = (index + 1) & 0xFFFF
        message_id = p.MessageId(opened.gateway_id, opened.request_id, index)
        self._envoy.send(p.TunnelReply(message_id, kind), sent)


def channel_id(message_id: p.MessageId) -> bytes:
    return message_id.gateway_id + message_id.request_id
