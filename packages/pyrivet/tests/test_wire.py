"""The client protocol's JSON, and keys."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrivet import _wire
from pyrivet._key import join_key, split_key
from pyrivet.errors import ProtocolError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text('ab$B"é\\')
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a$"), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_values_survive_a_frame(value: Any) -> None:
    tag, content = _wire.read_frame(_wire.action_request(7, "a", (value, "$x")))
    assert (tag, content) == ("ActionRequest", {"id": 7, "name": "a", "args": [value, "$x"]})
    assert _wire.read_frame(_wire.event("e", _wire.dump([value])))[1]["args"] == [value]


def test_frames_look_as_rivetkit_writes_them() -> None:
    assert json.loads(_wire.response(3, "[1]")) == {
        "body": {"tag": "ActionResponse", "val": {"id": ["$BigInt", "3"], "output": [1]}}
    }
    assert json.loads(_wire.failure("user", "c", "m", None)) == {
        "body": {
            "tag": "Error",
            "val": {
                "group": "user",
                "code": "c",
                "message": "m",
                "metadata": None,
                "actionId": None,
            },
        }
    }


@pytest.mark.parametrize(
    ("special", "value"),
    [
        (["$BigInt", "12"], 12),
        (["$Uint8Array", "AP8="], b"\x00\xff"),
        (["$Undefined", 0], None),
        (["$Set", [1, ["$BigInt", "2"]]], [1, 2]),
        (["$$BigInt", "12"], ["$BigInt", "12"]),
        (["$BigInt", "1", 2], ["$BigInt", "1", 2]),
    ],
)
def test_special_values(special: Any, value: Any) -> None:
    assert _wire.revive(special) == value


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff",
        "[]",
        '{"body":1}',
        '{"body":{"tag":"A"}}',
        '{"body":{"tag":1,"val":{}}}',
        '{"body":{"tag":"A","val":{"id":["$BigInt","x"]}}}',
        '{"body":{"tag":"A","val":{"args":[["$Strange","x"]]}}}',
        "[" * 100_000,
    ],
)
def test_malformed_frames_are_refused(frame: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        _wire.read_frame(frame)


def test_parameters_travel_as_a_subprotocol() -> None:
    params = {"token": "a,b (c) é", "n": 1}
    offered = f"rivet, {_wire.ENCODING}, {_wire.quote_params(params)}"
    assert _wire.unquote_params(offered) == params
    assert _wire.unquote_params("rivet") == {}
    for wrong in ("[]", "{", "1"):
        with pytest.raises(ProtocolError):
            _wire.parse_params(wrong)


@given(st.lists(st.text("ab/\\0"), max_size=4))
def test_keys_survive_joining(parts: list[str]) -> None:
    assert split_key(join_key(tuple(parts))) == tuple(parts)
