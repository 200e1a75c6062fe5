"""What can go wrong.

RivetError
├── ActionError          refused or failed by the actor, with a code
├── DeadlineExceeded     no answer in time; the call may have run
│   └── Unreachable      never sent: the actor could not be reached in time
├── CallInterrupted      the connection broke after the call was sent
├── ActorNotFound        no such actor
├── ClientGone           an actor's client left while it was sending or being sent to
├── EventsLost           a subscription has a gap
├── DatabaseError        the actor's database refused
│   └── DatabaseInterrupted   what it did is lost; this actor restarts
├── ProtocolError        bytes that do not decode
├── WorkerError          the engine refused this worker
└── EngineError          the engine cannot run
"""

from typing import Any


class RivetError(Exception):
    """Base of every error of this package."""


class ActionError(RivetError):
    """A failure the caller is meant to see.

    Raise it in an action or in `Actor.authorize`. Callers receive it with the same fields.
    """

    def __init__(self, code: str, message: str = "", metadata: Any = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        """Stable and machine-readable, such as `not_found`."""
        self.message = message
        """For people."""
        self.metadata = metadata
        """Anything that JSON can hold."""


class DeadlineExceeded(RivetError):
    """No answer came in time. The call may have run, or may still be running."""


class Unreachable(DeadlineExceeded):
    """The actor could not be reached before the deadline; the call has not run."""


class CallInterrupted(RivetError):
    """The connection broke while the call was under way: it may or may not have run."""


class ActorNotFound(RivetError):
    """The actor does not exist, and the handle was made with `Client.get`."""


class ClientGone(RivetError):
    """The client of a request or WebSocket has left, or has taken nothing for too long."""


class EventsLost(RivetError):
    """Events are missing at this place: the queue overflowed or the connection broke.

    The subscription goes on. Read the actor's state again, then iterate on.
    """


class DatabaseError(RivetError):
    """The statement was refused; nothing of its batch was applied."""

    def __init__(self, message: str, *, constraint: bool = False) -> None:
        super().__init__(message)
        self.constraint = constraint
        """A uniqueness, foreign key, check or not-null rule refused it."""


class DatabaseInterrupted(DatabaseError):
    """The engine went away during a write, and its result or its fate is lost.

    The actor restarts from what its database holds, so that memory and database agree.
    """


class ProtocolError(RivetError):
    """Received bytes are not what the protocol allows."""


class WorkerError(RivetError):
    """The engine refused this worker, or another process took over its key."""


class EngineError(RivetError):
    """The engine cannot be started; the text says why and what to do."""
