"""The client protocol's JSON, keys, and what both ends remember of each other."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._history import CommandLog, EventHistory
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


def test_commands_count_once() -> None:
    log = CommandLog()
    assert log.accept(p.Checkpoint("a", 1, 1))
    assert not log.accept(p.Checkpoint("a", 1, 1))
    assert log.accept(p.Checkpoint("a", 1, 2))
    assert log.accept(p.Checkpoint("a", 2, 1))
    assert not log.accept(p.Checkpoint("a", 1, 3))
    assert log.accept(p.Checkpoint("b", 1, 1))


def test_events_are_kept_until_the_engine_has_them() -> None:
    history = EventHistory()
    running = p.StateUpdate(p.Running())
    stopped = p.StateUpdate(p.Stopped(p.StopCode.OK, None))
    first = history.add("a", 1, running)
    second = history.add("a", 1, stopped)
    other = history.add("b", 4, running)
    assert [first.checkpoint.index, second.checkpoint.index, other.checkpoint.index] == [0, 1, 0]
    history.acknowledge([first.checkpoint, p.Checkpoint("gone", 1, 9)])
    assert history.unacknowledged() == [second, other]
    history.pinged()
    history.pinged()
    assert second in history.unacknowledged()  # sent again: the pings before do not count
    for _ in range(3):
        history.pinged()
    assert history.unacknowledged() == [other]
