"""Version 4 of RivetKit's client protocol in BARE, the official client's default.

Each message is the version as two bytes, then a struct. Values of users are CBOR inside.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

import cbor2
from pydantic_core import from_json

from pyrivet import _wire
from pyrivet._bare import U64, UINT, Codec, codec_of
from pyrivet._encodings.base import QueueRequest, arguments, queue_request
from pyrivet._encodings.cbor import load
from pyrivet.errors import ProtocolError

T = TypeVar("T")
VarUint = Annotated[int, UINT]

_VERSION = b"\x04\x00"


@dataclass(frozen=True, slots=True)
class ActorPlace:
    actor_id: str
    generation: VarUint
    key: str | None


@dataclass(frozen=True, slots=True)
class Init:
    actor_id: str
    connection_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    group: str
    code: str
    message: str
    metadata: bytes | None
    action_id: VarUint | None
    actor: ActorPlace | None


@dataclass(frozen=True, slots=True)
class ActionResponse:
    id: VarUint
    output: bytes


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    args: bytes


@dataclass(frozen=True, slots=True)
class ActionRequest:
    id: VarUint
    name: str
    args: bytes


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    event_name: str
    subscribe: bool


@dataclass(frozen=True, slots=True)
class HttpAction:
    """Arguments of a call, or its output."""

    value: bytes


@dataclass(frozen=True, slots=True)
class HttpQueueSend:
    body: bytes
    name: str | None
    wait: bool | None
    timeout: U64 | None


@dataclass(frozen=True, slots=True)
class HttpQueueResult:
    status: str
    response: bytes | None


TO_CLIENT: Codec[Any] = codec_of(Init | Failure | ActionResponse | Event)
TO_SERVER: Codec[Any] = codec_of(ActionRequest | SubscriptionRequest)
HTTP_ACTION: Codec[HttpAction] = codec_of(HttpAction)
QUEUE_SEND: Codec[HttpQueueSend] = codec_of(HttpQueueSend)
QUEUE_RESULT: Codec[HttpQueueResult] = codec_of(HttpQueueResult)


class BareEncoding:
    """See `Encoding`."""

    name: ClassVar[str] = "bare"
    binary: ClassVar[bool] = True
    content_type: ClassVar[str] = "application/octet-stream"

    def read_frame(self, frame: bytes) -> tuple[str, dict[str, Any]]:
        match read(TO_SERVER, frame):
            case ActionRequest(number, name, args):
                return "ActionRequest", {
                    "id": number,
                    "name": name,
                    "args": load(args, special=True),
                }
            case SubscriptionRequest(name, wanted):
                return "SubscriptionRequest", {"eventName": name, "subscribe": wanted}
        raise ProtocolError("not a frame of the client protocol")

    def init(self, actor_id: str, connection_id: str) -> bytes:
        return write(TO_CLIENT, Init(actor_id, connection_id))

    def event(self, name: str, args: str) -> bytes:
        return write(TO_CLIENT, Event(name, _cbor(args)))

    def response(self, action_id: int, output: str) -> bytes:
        return write(TO_CLIENT, ActionResponse(action_id, _cbor(output)))

    def failure(
        self, group: str, code: str, message: str, metadata: Any, action_id: int | None
    ) -> bytes:
        packed = None if metadata is None else _cbor(_wire.dump(metadata))
        return write(TO_CLIENT, Failure(group, code, message, packed, action_id, None))

    def read_action(self, body: bytes) -> list[Any]:
        return arguments({"args": load(read(HTTP_ACTION, body).value, special=True)})

    def output(self, output: str) -> bytes:
        return write(HTTP_ACTION, HttpAction(_cbor(output)))

    def read_queue(self, body: bytes) -> QueueRequest:
        send = read(QUEUE_SEND, body)
        return queue_request(
            {"body": load(send.body, special=True), "wait": send.wait, "timeout": send.timeout}
        )

    def queue_result(self, status: str, response: str | None) -> bytes:
        packed = None if response is None else _cbor(response)
        return write(QUEUE_RESULT, HttpQueueResult(status, packed))


def write(codec: Codec[T], value: T) -> bytes:
    out = bytearray(_VERSION)
    codec.write(out, value)
    return bytes(out)


def read(codec: Codec[T], data: bytes) -> T:
    """Read a message of this version; raises ProtocolError."""
    if data[:2] != _VERSION:
        raise ProtocolError("only version 4 of the client protocol is spoken")
    return codec.decode(data[2:])


def _cbor(text: str) -> bytes:
    return cbor2.dumps(from_json(text))
