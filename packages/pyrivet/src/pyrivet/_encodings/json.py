"""JSON in text frames: what browsers' tools show and curl can write."""

import json
from typing import Any, ClassVar

from pyrivet import _wire
from pyrivet._encodings.base import QueueRequest, arguments, queue_request
from pyrivet.errors import ProtocolError


class JsonEncoding:
    """See `Encoding`."""

    name: ClassVar[str] = "json"
    binary: ClassVar[bool] = False
    content_type: ClassVar[str] = "application/json"

    def read_frame(self, frame: bytes) -> tuple[str, dict[str, Any]]:
        return _wire.read_frame(frame)

    def init(self, actor_id: str, connection_id: str) -> bytes:
        return _wire.init(actor_id, connection_id)

    def event(self, name: str, args: str) -> bytes:
        return _wire.event(name, args)

    def response(self, action_id: int, output: str) -> bytes:
        return _wire.response(action_id, output)

    def failure(
        self, group: str, code: str, message: str, metadata: Any, action_id: int | None
    ) -> bytes:
        return _wire.failure(group, code, message, metadata, action_id)

    def read_action(self, body: bytes) -> list[Any]:
        return arguments(_parse(body))

    def output(self, output: str) -> bytes:
        return f'{{"output":{output}}}'.encode()

    def read_queue(self, body: bytes) -> QueueRequest:
        return queue_request(_parse(body))

    def queue_result(self, status: str, response: str | None) -> bytes:
        tail = "" if response is None else f',"response":{response}'
        return f'{{"status":{json.dumps(status)}{tail}}}'.encode()


def _parse(body: bytes) -> Any:
    try:
        return _wire.revive(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the body is not JSON") from error
