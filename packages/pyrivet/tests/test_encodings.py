"""Encodings refuse what could harm, and read what they should."""

import cbor2
import pytest
from pyrivet._encodings import encoding_named, encoding_offered
from pyrivet.errors import ProtocolError

HOSTILE = {
    "huge exponent": "c4821a3b9aca0001",
    "shared reference": "d81c81d81d00",
    "too deep": "81" * 5_000,
    "unknown tag": "d84143010203",
    "cut off": "8201",
    "huge length": "9b7fffffffffffffff",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_cbor_is_refused(data: str) -> None:
    inner = bytes.fromhex(data)
    with pytest.raises(ProtocolError):
        encoding_named("cbor").read_action(b"\xa1\x64args" + inner)
    size = len(inner)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    with pytest.raises(ProtocolError):
        encoding_named("bare").read_action(b"\x04\x00" + length + inner)


def test_bytes_and_undefined_are_read() -> None:
    packed = cbor2.dumps({"args": [cbor2.CBORTag(64, b"\x01"), cbor2.undefined, ["$BigInt", "7"]]})
    assert encoding_named("cbor").read_action(packed) == [b"\x01", None, ["$BigInt", "7"]]
    inner = cbor2.dumps([["$BigInt", "7"], ["$$x", 1]])
    framed = b"\x04\x00" + bytes([len(inner)]) + inner
    assert encoding_named("bare").read_action(framed) == [7, ["$x", 1]]


def test_other_versions_and_encodings_are_refused() -> None:
    with pytest.raises(ProtocolError):
        encoding_named("bare").read_action(b"\x03\x00\x01\x80")
    for offered in ("rivet", "rivet, rivet_encoding.xml"):
        with pytest.raises(ProtocolError):
            encoding_offered(offered)
    assert encoding_offered("rivet, rivet_encoding.bare").name == "bare"
