"""Messages between Rivet Engine and an envoy, protocol version 8.

Field names follow the engine's schema. Page-level SQLite messages are left out: databases run
in the engine, and this package never asks for pages.
"""

import enum
import struct
from dataclasses import dataclass, field
from typing import Annotated, Any

from pyrivet._bare import I64, U16, U32, U64, Codec, Reader, fixed_data, union, write_uint
from pyrivet.errors import ProtocolError

VERSION = 8

SqliteValue = None | int | float | str | bytes
_I64 = struct.Struct("<q")
_F64 = struct.Struct(">d")  # the one big-endian value of the protocol


def _write_value(out: bytearray, value: SqliteValue) -> None:
    match value:
        case None:
            out.append(0)
        case int():
            out.append(1)
            out += _I64.pack(value)
        case float():
            out.append(2)
            out += _F64.pack(value)
        case str():
            data = value.encode()
            out.append(3)
            write_uint(out, len(data))
            out += data
        case _:
            out.append(4)
            write_uint(out, len(value))
            out += value


def _read_value(reader: Reader) -> SqliteValue:
    match reader.byte():
        case 0:
            return None
        case 1:
            number: int = _I64.unpack(reader.take(8))[0]
            return number
        case 2:
            real: float = _F64.unpack(reader.take(8))[0]
            return real
        case 3:
            # SQLite keeps whatever bytes a text column was given.
            return reader.take(reader.uint()).decode(errors="replace")
        case 4:
            return reader.take(reader.uint())
        case tag:
            raise ProtocolError(f"unknown SQLite value {tag}")


Value = Annotated[Any, Codec(_write_value, _read_value)]
Id4 = Annotated[bytes, fixed_data(4)]


class StopReason(enum.IntEnum):
    SLEEP_INTENT = 0
    STOP_INTENT = 1
    DESTROY = 2
    GOING_AWAY = 3
    LOST = 4


class StopCode(enum.IntEnum):
    OK = 0
    ERROR = 1


class AbortKind(enum.IntEnum):
    UNKNOWN = 0
    CANCELLED = 1
    HANDLER_ERROR = 2
    INTERNAL_ERROR = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    actor_id: str
    generation: U32
    index: I64


# Events: what happened to an actor, envoy to engine.


@dataclass(frozen=True, slots=True)
class IntentSleep: ...


@dataclass(frozen=True, slots=True)
class IntentStop: ...


@dataclass(frozen=True, slots=True)
class Intent:
    intent: IntentSleep | IntentStop


@dataclass(frozen=True, slots=True)
class Running: ...


@dataclass(frozen=True, slots=True)
class Stopped:
    code: StopCode
    message: str | None


@dataclass(frozen=True, slots=True)
class StateUpdate:
    state: Running | Stopped


@dataclass(frozen=True, slots=True)
class SetAlarm:
    alarm_ts: I64 | None


ActorEvent = Intent | StateUpdate | SetAlarm


@dataclass(frozen=True, slots=True)
class EventWrapper:
    checkpoint: Checkpoint
    inner: ActorEvent


# Commands: what an envoy must do, engine to envoy.


@dataclass(frozen=True, slots=True)
class HibernatingRequest:
    gateway_id: Id4
    request_id: Id4


@dataclass(frozen=True, slots=True)
class KvMetadata:
    version: bytes
    update_ts: I64


@dataclass(frozen=True, slots=True)
class PreloadedEntry:
    key: bytes
    value: bytes
    metadata: KvMetadata


@dataclass(frozen=True, slots=True)
class PreloadedKv:
    entries: list[PreloadedEntry]
    requested_get_keys: list[bytes]
    requested_prefixes: list[bytes]


@dataclass(frozen=True, slots=True)
class ActorConfig:
    name: str
    key: str | None
    create_ts: I64
    input: bytes | None


@dataclass(frozen=True, slots=True)
class Start:
    config: ActorConfig
    hibernating_requests: list[HibernatingRequest] = field(default_factory=list)
    preloaded_kv: PreloadedKv | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    reason: StopReason


@dataclass(frozen=True, slots=True)
class CommandWrapper:
    checkpoint: Checkpoint
    inner: Start | Stop


# Tunnel: HTTP requests and WebSockets of clients.


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


# SQLite


@dataclass(frozen=True, slots=True)
class SqlTarget:
    """Whose database; the engine wants the namespace's name here, not its id."""

    namespace: str
    actor_id: str
    generation: U64


@dataclass(frozen=True, slots=True)
class SqlStatement:
    sql: str
    params: list[Value] | None


@dataclass(frozen=True, slots=True)
class SqlResult:
    columns: list[str]
    rows: list[list[Value]]
    changes: I64
    last_insert_row_id: I64 | None


@dataclass(frozen=True, slots=True)
class SqlRows:
    columns: list[str]
    rows: list[list[Value]]


@dataclass(frozen=True, slots=True)
class SqlResults:
    results: list[SqlResult]


@dataclass(frozen=True, slots=True)
class SqlFailure:
    group: str
    code: str
    message: str


# Key-value store


@dataclass(frozen=True, slots=True)
class KvGet:
    keys: list[bytes]


@dataclass(frozen=True, slots=True)
class KvAll: ...


@dataclass(frozen=True, slots=True)
class KvRange:
    start: bytes
    end: bytes
    exclusive: bool


@dataclass(frozen=True, slots=True)
class KvPrefix:
    key: bytes


@dataclass(frozen=True, slots=True)
class KvList:
    query: KvAll | KvRange | KvPrefix
    reverse: bool | None
    limit: U64 | None


@dataclass(frozen=True, slots=True)
class KvPut:
    keys: list[bytes]
    values: list[bytes]


@dataclass(frozen=True, slots=True)
class KvDelete:
    keys: list[bytes]


@dataclass(frozen=True, slots=True)
class KvDeleteRange:
    start: bytes
    end: bytes


@dataclass(frozen=True, slots=True)
class KvDrop: ...


@dataclass(frozen=True, slots=True)
class KvFailure:
    message: str


@dataclass(frozen=True, slots=True)
class KvGot:
    keys: list[bytes]
    values: list[bytes]
    metadata: list[KvMetadata]


@dataclass(frozen=True, slots=True)
class KvListed:
    keys: list[bytes]
    values: list[bytes]
    metadata: list[KvMetadata]


@dataclass(frozen=True, slots=True)
class KvDone: ...


@dataclass(frozen=True, slots=True)
class KvDeleted: ...


@dataclass(frozen=True, slots=True)
class KvDropped: ...


KvOperation = KvGet | KvList | KvPut | KvDelete | KvDeleteRange | KvDrop
KvAnswer = KvFailure | KvGot | KvListed | KvDone | KvDeleted | KvDropped


# Envoy to engine


@dataclass(frozen=True, slots=True)
class ActorName:
    metadata: str


@dataclass(frozen=True, slots=True)
class Metadata:
    actor_names: dict[str, ActorName] | None
    metadata: str | None


@dataclass(frozen=True, slots=True)
class Events:
    events: list[EventWrapper]


@dataclass(frozen=True, slots=True)
class AckCommands:
    checkpoints: list[Checkpoint]


@dataclass(frozen=True, slots=True)
class Stopping: ...


@dataclass(frozen=True, slots=True)
class Pong:
    ts: I64


@dataclass(frozen=True, slots=True)
class KvRequest:
    actor_id: str
    request_id: U32
    data: KvOperation


@dataclass(frozen=True, slots=True)
class TunnelReply:
    message_id: MessageId
    kind: ToClient


@dataclass(frozen=True, slots=True)
class SqlScript:
    request_id: U32
    target: SqlTarget
    sql: str


@dataclass(frozen=True, slots=True)
class SqlExecute:
    request_id: U32
    target: SqlTarget
    statement: SqlStatement


@dataclass(frozen=True, slots=True)
class SqlBatch:
    request_id: U32
    target: SqlTarget
    statements: list[SqlStatement]


ToEngine = (
    Metadata
    | Events
    | AckCommands
    | Stopping
    | Pong
    | KvRequest
    | TunnelReply
    | SqlScript
    | SqlExecute
    | SqlBatch
)


# Engine to envoy


@dataclass(frozen=True, slots=True)
class Init:
    lost_threshold_ms: I64
    stop_threshold_ms: I64
    max_response_bytes: U64


@dataclass(frozen=True, slots=True)
class Commands:
    commands: list[CommandWrapper]


@dataclass(frozen=True, slots=True)
class AckEvents:
    checkpoints: list[Checkpoint]


@dataclass(frozen=True, slots=True)
class KvResponse:
    request_id: U32
    data: KvAnswer


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    message_id: MessageId
    kind: FromClient


@dataclass(frozen=True, slots=True)
class Ping:
    ts: I64


@dataclass(frozen=True, slots=True)
class SqlScriptDone:
    request_id: U32
    data: SqlRows | SqlFailure


@dataclass(frozen=True, slots=True)
class SqlExecuted:
    request_id: U32
    data: SqlResult | SqlFailure


@dataclass(frozen=True, slots=True)
class SqlBatchDone:
    request_id: U32
    data: SqlResults | SqlFailure


ToEnvoy = (
    Init
    | Commands
    | AckEvents
    | KvResponse
    | TunnelRequest
    | Ping
    | SqlScriptDone
    | SqlExecuted
    | SqlBatchDone
)

_TO_ENGINE: dict[int, type] = {
    0: Metadata,
    1: Events,
    2: AckCommands,
    3: Stopping,
    4: Pong,
    5: KvRequest,
    6: TunnelReply,
    12: SqlScript,
    13: SqlExecute,
    14: SqlBatch,
}
_TO_ENVOY: dict[int, type] = {
    0: Init,
    1: Commands,
    2: AckEvents,
    3: KvResponse,
    4: TunnelRequest,
    5: Ping,
    11: SqlScriptDone,
    12: SqlExecuted,
    13: SqlBatchDone,
}

TO_ENGINE: Codec[ToEngine] = union(_TO_ENGINE)
"""Messages an envoy sends, each a whole WebSocket frame."""
TO_ENVOY: Codec[ToEnvoy] = union(_TO_ENVOY)
"""Messages an envoy receives."""
