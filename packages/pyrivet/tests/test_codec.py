"""Any message comes back as it was, and means the same to the engine's own codec from npm."""

import dataclasses
import enum
import json
import struct
import subprocess
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrivet import _protocol as p
from pyrivet._bare import I64, U8, U16, U32, U64, Codec
from pyrivet._protocol.sqlite import Value
from pyrivet._protocol.tunnel import Id4

from .javascript import NODE, SCRIPTS, needs_client

WHOLE = {U8: (0, 2**8), U16: (0, 2**16), U32: (0, 2**32), U64: (0, 2**64), I64: (-(2**63), 2**63)}
INTEGERS = {hint: st.integers(low, high - 1) for hint, (low, high) in WHOLE.items()}
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    Id4: st.binary(min_size=4, max_size=4),
    Value: st.none()
    | INTEGERS[I64]
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    **INTEGERS,
}


def messages_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return every value that a type of the protocol can have."""
    if hint in SIMPLE:
        return SIMPLE[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return st.lists(messages_of(args[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(messages_of(args[0]), messages_of(args[1]), max_size=3)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([messages_of(arg) for arg in args])
    if hint is types.NoneType:
        return st.none()
    if issubclass(hint, enum.IntEnum):
        return st.sampled_from(hint)
    hints = typing.get_type_hints(hint, include_extras=True)
    fields = [hints[field.name] for field in dataclasses.fields(hint)]
    return st.builds(hint, *[messages_of(field) for field in fields])


TO_ENGINE, TO_ENVOY = messages_of(p.ToEngine), messages_of(p.ToEnvoy)


@given(TO_ENGINE)
def test_messages_to_the_engine_come_back(message: p.ToEngine) -> None:
    assert p.TO_ENGINE.decode(p.TO_ENGINE.encode(message)) == message


@given(TO_ENVOY)
def test_messages_from_the_engine_come_back(message: p.ToEnvoy) -> None:
    assert p.TO_ENVOY.decode(p.TO_ENVOY.encode(message)) == message


class Peer:
    """The codec from npm, in a Node process."""

    def __init__(self) -> None:
        assert NODE is not None
        self._process = subprocess.Popen(
            [NODE, "reencode.mjs"],
            cwd=SCRIPTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.enums = self._read()

    def reencode(self, kind: str, frame: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {frame.hex()}\n")
        return self._read()

    def close(self) -> None:
        self._process.communicate(timeout=10)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the codec refused the frame; its reason is on stderr"
        return dict(json.loads(line))


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def leaves(value: Any, enums: dict[str, Any]) -> Iterator[str]:
    """Yield the values in the order of the schema, as `reencode.mjs` does."""
    match value:
        case None:
            pass
        case bool():
            yield "true" if value else "false"
        case enum.IntEnum():
            yield list(enums[type(value).__name__])[value]
        case int() | str():
            yield str(value)
        case float():
            yield struct.pack(">d", value).hex()
        case bytes():
            yield value.hex()
        case list():
            for item in value:
                yield from leaves(item, enums)
        case dict():
            for entry in value.items():
                yield from leaves(list(entry), enums)
        case _:
            for field in dataclasses.fields(value):
                yield from leaves(getattr(value, field.name), enums)


PAIRS: list[tuple[str, Codec[Any], st.SearchStrategy[Any]]] = [
    ("ToRivet", p.TO_ENGINE, TO_ENGINE),
    ("ToEnvoy", p.TO_ENVOY, TO_ENVOY),
]


@needs_client
@pytest.mark.parametrize(("kind", "codec", "messages"), PAIRS)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_npm_codec_reads_and_writes_the_same(
    peer: Peer,
    kind: str,
    codec: Codec[Any],
    messages: st.SearchStrategy[Any],
    data: st.DataObject,
) -> None:
    message = data.draw(messages)
    theirs = peer.reencode(kind, codec.encode(message))
    assert theirs["leaves"] == list(leaves(message, peer.enums))
    assert codec.decode(bytes.fromhex(theirs["frame"])) == message
    assert codec.encode(message).hex() == theirs["frame"]


@needs_client
@pytest.mark.parametrize("enumeration", [p.StopCode, p.StopReason, p.AbortKind])
def test_enumerations_have_the_same_order(peer: Peer, enumeration: type[enum.IntEnum]) -> None:
    theirs = [name.lower() for name in peer.enums[enumeration.__name__]]
    assert theirs == [member.name.lower().replace("_", "") for member in enumeration]
