"""HTTP requests and WebSockets of clients, as the engine's gateways forward them."""

import enum
from dataclasses import dataclass
from typing import Annotated

from pyrivet._bare import U16, U32, U64, fixed_data

Id4 = Annotated[bytes, fixed_data(4)]


class AbortKind(enum.IntEnum):
    UNKNOWN = 0
    CANCELLED = 1
    HANDLER_ERROR = 2
    INTERNAL_ERROR = 3


@dataclass(frozen=True, slots=True)
class MessageId:
    gateway_id: Id4
    request_id: Id4
    message_index: U16


@dataclass(frozen=True, slots=True)
class RequestStart:
    actor_id: str
    actor_generation: U32 | None
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    stream: bool
    response_stream: bool


@dataclass(frozen=True, slots=True)
class BodyChunk:
    """Part of a request's or a response's body."""

    body: bytes
    finish: bool


@dataclass(frozen=True, slots=True)
class RequestAbort:
    actor_id: str | None
    actor_generation: U32 | None
    kind: AbortKind
    detail: str | None


@dataclass(frozen=True, slots=True)
class BodyCancel: ...


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    consumed_bytes: U64


@dataclass(frozen=True, slots=True)
class ClientOpen:
    actor_id: str
    actor_generation: U32 | None
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class SocketMessage:
    data: bytes
    binary: bool


@dataclass(frozen=True, slots=True)
class ClientClose:
    code: U16 | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ResponseStart:
    status: U16
    headers: dict[str, str]
    body: bytes | None
    stream: bool


@dataclass(frozen=True, slots=True)
class ResponseAbort:
    kind: AbortKind
    detail: str | None


@dataclass(frozen=True, slots=True)
class SocketOpen:
    can_hibernate: bool


@dataclass(frozen=True, slots=True)
class SocketMessageAck:
    index: U16


@dataclass(frozen=True, slots=True)
class SocketClose:
    code: U16 | None
    reason: str | None
    hibernate: bool


FromClient = (
    RequestStart
    | BodyChunk
    | RequestAbort
    | BodyCancel
    | WindowUpdate
    | ClientOpen
    | SocketMessage
    | ClientClose
)
ToClient = (
    ResponseStart
    | BodyChunk
    | ResponseAbort
    | WindowUpdate
    | BodyCancel
    | SocketOpen
    | SocketMessage
    | SocketMessageAck
    | SocketClose
)


@dataclass(frozen=True, slots=True)
class TunnelReply:
    message_id: MessageId
    kind: ToClient


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    message_id: MessageId
    kind: FromClient
