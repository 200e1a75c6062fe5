"""What clients and actors say to each other: RivetKit's client protocol in JSON encoding.

Each frame is `{"body": {"tag": …, "val": …}}`. Values that JSON lacks are two-item lists such as
`["$BigInt", "7"]`; a genuine list of that shape gets one more `$` in front.
"""

import base64
import json
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel
from pydantic_core import to_json

from pyrivet.errors import ProtocolError

ENCODING = "rivet_encoding.json"
CONN_PARAMS = "rivet_conn_params."
DRAINED = "drained"
"""Reason of a close after which every call without an answer has not run."""


_BYTES = (bytes, bytearray, memoryview)
_LISTS = (list, tuple, set, frozenset)


def dump(value: Any) -> str:
    """Write a value as compact JSON; raises ValueError for what JSON cannot hold."""
    if holds_bytes(value):
        return json.dumps(_special(value), separators=(",", ":"), ensure_ascii=False)
    return escape(_json(value))


def holds_bytes(value: Any) -> bool:
    """Whether there are bytes anywhere in it, which JSON has no form for."""
    if isinstance(value, str | int | float | None):
        return False
    if isinstance(value, _BYTES):
        return True
    if isinstance(value, dict):
        return any(map(holds_bytes, value.values()))
    if isinstance(value, _LISTS):
        return any(map(holds_bytes, value))
    return isinstance(value, BaseModel) and holds_bytes(vars(value))


def _special(value: Any) -> Any:
    """Return what JSON can hold, with bytes as a special value and everything else escaped."""
    if isinstance(value, _BYTES):
        return ["$Uint8Array", base64.b64encode(value).decode()]
    if isinstance(value, BaseModel):
        return _special(value.model_dump())
    if isinstance(value, dict):
        names = json.loads(_json(dict.fromkeys(value)))
        return dict(zip(names, map(_special, value.values()), strict=True))
    if isinstance(value, _LISTS):
        return _escaped([*map(_special, value)])
    return _escape(json.loads(_json(value)))


def _json(value: Any) -> str:
    return to_json(value, inf_nan_mode="null", bytes_mode="base64").decode()


def escape(text: str) -> str:
    """Escape lists that look like special values in compact JSON."""
    if '["$' not in text:
        return text
    return json.dumps(_escape(json.loads(text)), separators=(",", ":"), ensure_ascii=False)


def _escape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    return _escaped([_escape(item) for item in value])


def _escaped(items: list[Any]) -> list[Any]:
    if len(items) == 2 and isinstance(items[0], str) and items[0].startswith("$"):
        items[0] = "$" + items[0]
    return items


def revive(value: Any) -> Any:
    """Undo `escape` and turn special values into Python ones."""
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) != 2 or not isinstance(value[0], str) or not value[0].startswith("$"):
        return [revive(item) for item in value]
    kind, content = value
    if kind.startswith("$$"):
        return [kind[1:], revive(content)]
    try:
        match kind:
            case "$BigInt":
                return int(content)
            case "$ArrayBuffer" | "$Uint8Array":
                return base64.b64decode(content, validate=True)
            case "$Undefined":
                return None
            case "$Set":
                return [revive(item) for item in content]
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"malformed {kind}") from error
    raise ProtocolError(f"unknown special value {kind}")


def read_frame(frame: str | bytes) -> tuple[str, dict[str, Any]]:
    """Return tag and value of a frame, special values revived; raises ProtocolError."""
    try:
        text = frame if isinstance(frame, str) else frame.decode()
        body = json.loads(text)["body"]
        tag, value = body["tag"], body["val"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError("not a frame of the client protocol") from error
    if not isinstance(tag, str) or not isinstance(value, dict):
        raise ProtocolError("not a frame of the client protocol")
    return tag, _revive_frame(value, text.count('"$'))


def _revive_frame(value: dict[str, Any], marks: int) -> dict[str, Any]:
    # Walking a large value costs more than parsing it, and mostly only the id is special.
    for key in ("id", "actionId"):
        if isinstance(value.get(key), list):
            value[key] = revive(value[key])
            marks -= 1
    return revive(value) if marks > 0 else value


def _frame(tag: str, value: str) -> bytes:
    return f'{{"body":{{"tag":"{tag}","val":{value}}}}}'.encode()


def _number(number: int) -> str:
    return f'["$BigInt","{number}"]'


def init(actor_id: str, connection_id: str) -> bytes:
    return _frame("Init", dump({"actorId": actor_id, "connectionId": connection_id}))


def event(name: str, args: str) -> bytes:
    """Write an event; `args` is a list as JSON from `dump`."""
    return _frame("Event", f'{{"name":{json.dumps(name)},"args":{args}}}')


def response(action_id: int, output: str) -> bytes:
    """Answer an action; `output` is JSON from `dump`."""
    return _frame("ActionResponse", f'{{"id":{_number(action_id)},"output":{output}}}')


def failure(
    group: str, code: str, message: str, metadata: Any, action_id: int | None = None
) -> bytes:
    """Report an error of one action, or of the connection without `action_id`."""
    where = "null" if action_id is None else _number(action_id)
    fields = (
        f'"group":{json.dumps(group)},"code":{json.dumps(code)},"message":{json.dumps(message)}'
        f',"metadata":{dump(metadata)},"actionId":{where}'
    )
    return _frame("Error", f"{{{fields}}}")


def action_request(action_id: int, name: str, args: tuple[Any, ...]) -> bytes:
    value = f'{{"id":{_number(action_id)},"name":{json.dumps(name)},"args":{dump(list(args))}}}'
    return _frame("ActionRequest", value)


def subscription(name: str, subscribe: bool) -> bytes:
    return _frame("SubscriptionRequest", json.dumps({"eventName": name, "subscribe": subscribe}))


def quote_params(params: Any) -> str:
    """Return the subprotocol that carries a connection's parameters."""
    return CONN_PARAMS + quote(json.dumps(params), safe="")


def unquote_params(subprotocols: str) -> dict[str, Any]:
    """Read the parameters from a list of subprotocols; raises ProtocolError."""
    for name in subprotocols.split(","):
        if name.strip().startswith(CONN_PARAMS):
            return parse_params(unquote(name.strip().removeprefix(CONN_PARAMS)))
    return {}


def parse_params(text: str) -> dict[str, Any]:
    """Read a connection's parameters from JSON; `null` means none. Raises ProtocolError."""
    try:
        params = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise ProtocolError("connection parameters are not JSON") from error
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise ProtocolError("connection parameters are not a JSON object")
    return params
