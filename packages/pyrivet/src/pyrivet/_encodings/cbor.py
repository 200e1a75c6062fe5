"""The same objects as in JSON, written as CBOR in binary frames."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import cbor2
from pydantic_core import from_json

from pyrivet import _wire
from pyrivet._encodings.base import QueueRequest, arguments, queue_request
from pyrivet.errors import ProtocolError

_UINT8_ARRAY = 64  # RFC 8746


class CborEncoding:
    """See `Encoding`."""

    name: ClassVar[str] = "cbor"
    binary: ClassVar[bool] = True
    content_type: ClassVar[str] = "application/octet-stream"

    def read_frame(self, frame: bytes) -> tuple[str, dict[str, Any]]:
        match load(frame, special=False):
            case {"body": {"tag": str(tag), "val": dict(value)}}:
                return tag, value
        raise ProtocolError("not a frame of the client protocol")

    def init(self, actor_id: str, connection_id: str) -> bytes:
        return _frame("Init", {"actorId": actor_id, "connectionId": connection_id})

    def event(self, name: str, args: str) -> bytes:
        return _frame("Event", {"name": name, "args": from_json(args)})

    def response(self, action_id: int, output: str) -> bytes:
        return _frame("ActionResponse", {"id": _number(action_id), "output": from_json(output)})

    def failure(
        self, group: str, code: str, message: str, metadata: Any, action_id: int | None
    ) -> bytes:
        fields = {
            "group": group,
            "code": code,
            "message": message,
            "metadata": from_json(_wire.dump(metadata)),
            "actionId": None if action_id is None else _number(action_id),
        }
        return _frame("Error", fields)

    def read_action(self, body: bytes) -> list[Any]:
        return arguments(load(body, special=False))

    def output(self, output: str) -> bytes:
        return cbor2.dumps({"output": from_json(output)})

    def read_queue(self, body: bytes) -> QueueRequest:
        return queue_request(load(body, special=False))

    def queue_result(self, status: str, response: str | None) -> bytes:
        fields = {"status": status}
        return cbor2.dumps(
            fields if response is None else fields | {"response": from_json(response)}
        )


def load(data: bytes, *, special: bool) -> Any:
    """Read a client's CBOR; raises ProtocolError.

    RivetKit's client writes BigInts and bytes as CBOR has them in frames of this encoding, but
    as JSON's `special` values, with all their escaping, in the CBOR inside of BARE.
    """
    try:
        value = cbor2.loads(
            data, semantic_decoders=_REFUSED, tag_hook=_read_tag, strict_hashable_types=True
        )
        value = _plain(value) if b"\xf7" in data else value
        return _wire.revive(value) if special else value
    # A value of a wrong shape makes the decoder raise nearly anything.
    except Exception as error:
        raise ProtocolError("not valid CBOR") from error


def _plain(value: Any) -> Any:
    """Turn `undefined` into None, as JSON has it."""
    if value is cbor2.undefined:
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _refuse(_: Any) -> Any:
    raise ProtocolError("this kind of CBOR value is not taken")


def _read_tag(tag: cbor2.CBORTag, _: bool) -> Any:
    if tag.tag == _UINT8_ARRAY and isinstance(tag.value, bytes):
        return tag.value
    raise ProtocolError(f"CBOR tag {tag.tag} is not taken")


# Values that can be large, cyclic or slow beyond what their bytes tell: fractions with any
# exponent, shared references, regular expressions.
_REFUSED: Mapping[int, Callable[[Any], Any]] = dict.fromkeys((4, 5, 28, 29, 30, 35), _refuse)


def _frame(tag: str, value: dict[str, Any]) -> bytes:
    return cbor2.dumps({"body": {"tag": tag, "val": value}})


def _number(number: int) -> list[str]:
    # A small number would arrive as one, where RivetKit's client insists on a BigInt.
    return ["$BigInt", str(number)]
