"""How a call ends, as clients see it."""

import logging
from collections.abc import Mapping
from typing import Any

from pyrivet import _wire
from pyrivet._encodings import Encoding
from pyrivet.errors import ActionError, ClientGone, ProtocolError

log = logging.getLogger("pyrivet")


# The engine takes 20 MiB in one message, and a character takes up to four bytes.
MAX_OUTPUT_CHARS = 4 << 20
HIDDEN = "the actor failed; the log of its worker says why"


class Refusal(Exception):
    """A call that this package, not the actor's author, refuses or ends."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotRun(Refusal):
    """The actor is stopping; the call has not run and may be repeated."""

    def __init__(self) -> None:
        super().__init__("stopping", "the actor is stopping")


class Outcome:
    """How a call ended, as clients see it."""

    __slots__ = ("code", "group", "message", "metadata", "output")

    def __init__(
        self,
        *,
        output: str | None = None,
        group: str = "",
        code: str = "",
        message: str = "",
        metadata: Any = None,
    ) -> None:
        self.output = output
        self.group = group
        self.code = code
        self.message = message
        self.metadata = metadata

    @classmethod
    def success(cls, output: str) -> "Outcome":
        """Return a result as JSON, or a failure when it is too big to send."""
        if len(output) <= MAX_OUTPUT_CHARS:
            return cls(output=output)
        text = f"over {MAX_OUTPUT_CHARS} characters"
        return cls(group="actor", code="output_too_big", message=text)

    @classmethod
    def of(cls, error: Exception, ids: Mapping[str, Any]) -> "Outcome":
        """Describe an error; one that nobody meant for clients is logged and kept from them."""
        match error:
            case ActionError():
                group, message, metadata = "user", error.message, error.metadata
                return cls(group=group, code=error.code, message=message, metadata=metadata)
            case Refusal():
                return cls(group="actor", code=error.code, message=str(error))
            case ClientGone():
                return cls(group="actor", code="client_gone", message=str(error))
            case ProtocolError():
                return cls(group="actor", code="invalid_message", message=str(error))
        log.error("actor.action_failed", extra=dict(ids), exc_info=error)
        return cls(group="actor", code="internal_error", message=HIDDEN)

    def frame(self, number: int | None, encoding: Encoding) -> bytes:
        """Return the frame for a connection; `number` is the call's, None for the connection."""
        if self.output is not None and number is not None:
            return encoding.response(number, self.output)
        return encoding.failure(self.group, self.code, self.message, self.metadata, number)

    def body(self) -> bytes:
        """Return the error as the body of an HTTP response, which is JSON in every encoding."""
        fields = {"group": self.group, "code": self.code, "message": self.message}
        return _wire.dump(fields | {"metadata": self.metadata}).encode()
