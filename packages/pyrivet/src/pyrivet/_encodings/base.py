"""What every encoding can write and read."""

from typing import Any, ClassVar, NamedTuple, Protocol

from pyrivet.errors import ProtocolError


class QueueRequest(NamedTuple):
    """A message for a queue, as it came over HTTP."""

    body: Any
    wait: bool
    timeout_ms: int | None


class Encoding(Protocol):
    """Frames of a connection and bodies of HTTP; what is read raises ProtocolError.

    `output`, `args` and `response` are JSON text with special values escaped.
    """

    name: ClassVar[str]
    binary: ClassVar[bool]
    """Whether frames are binary messages."""
    content_type: ClassVar[str]

    def read_frame(self, frame: bytes) -> tuple[str, dict[str, Any]]:
        """Return tag and value of a client's frame."""

    def init(self, actor_id: str, connection_id: str) -> bytes: ...

    def event(self, name: str, args: str) -> bytes: ...

    def response(self, action_id: int, output: str) -> bytes: ...

    def failure(
        self, group: str, code: str, message: str, metadata: Any, action_id: int | None
    ) -> bytes:
        """Report an error of one action, or of the connection without `action_id`."""

    def read_action(self, body: bytes) -> list[Any]:
        """Return the arguments in the body of an HTTP call."""

    def output(self, output: str) -> bytes:
        """Return the body that answers an HTTP call."""

    def read_queue(self, body: bytes) -> QueueRequest: ...

    def queue_result(self, status: str, response: str | None) -> bytes: ...


def arguments(fields: Any) -> list[Any]:
    """Return `args` of a call over HTTP; raises ProtocolError."""
    args = fields.get("args") if isinstance(fields, dict) else None
    if not isinstance(args, list):
        raise ProtocolError('the body must be {"args": […]}')
    return args


def queue_request(fields: Any) -> QueueRequest:
    """Check the fields of a queue's message; raises ProtocolError."""
    if not isinstance(fields, dict) or "body" not in fields:
        raise ProtocolError('the body must be {"body": …}, with "wait" and "timeout" if wanted')
    wait, timeout = fields.get("wait") or False, fields.get("timeout")
    if not isinstance(wait, bool):
        raise ProtocolError("wait must be true or false")
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0
    ):
        raise ProtocolError("timeout must be milliseconds")
    # Also keeps infinity, which CBOR can carry, out of arithmetic.
    return QueueRequest(fields["body"], wait, None if timeout is None else int(min(timeout, 1e12)))
