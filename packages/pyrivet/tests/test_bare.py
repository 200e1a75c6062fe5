"""The codec: what is written reads back, and nothing else is accepted."""

import enum
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrivet._bare import I64, U8, U16, U32, U64, UINT, codec_of
from pyrivet.errors import ProtocolError


class Colour(enum.IntEnum):
    RED = 0
    BLUE = 1


@dataclass(frozen=True)
class Leaf:
    number: I64
    name: str


@dataclass(frozen=True)
class Empty: ...


@dataclass(frozen=True)
class Everything:
    small: U8
    short: U16
    word: U32
    long: U64
    flag: bool
    blob: bytes
    colour: Colour
    maybe: str | None
    many: list[Leaf]
    table: dict[str, U32]
    either: Leaf | Empty
    perhaps: Leaf | Empty | None


leaves = st.builds(Leaf, st.integers(-(2**63), 2**63 - 1), st.text())
CODEC = codec_of(Everything)


@given(
    st.builds(
        Everything,
        small=st.integers(0, 2**8 - 1),
        short=st.integers(0, 2**16 - 1),
        word=st.integers(0, 2**32 - 1),
        long=st.integers(0, 2**64 - 1),
        flag=st.booleans(),
        blob=st.binary(),
        colour=st.sampled_from(Colour),
        maybe=st.none() | st.text(),
        many=st.lists(leaves, max_size=5),
        table=st.dictionaries(st.text(), st.integers(0, 2**32 - 1), max_size=5),
        either=leaves | st.just(Empty()),
        perhaps=st.none() | leaves | st.just(Empty()),
    )
)
def test_round_trip(value: Everything) -> None:
    assert CODEC.decode(CODEC.encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        value = CODEC.decode(data)
    except ProtocolError:
        return
    assert CODEC.decode(CODEC.encode(value)) == value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_uint_examples(value: int, data: str) -> None:
    assert UINT.encode(value).hex() == data
    assert UINT.decode(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (bool, "02"),
        (Colour, "02"),
        (str, "02ff41"),
        (str, "0541"),
        (list[str], "ffffffff0f"),
        (Leaf | Empty, "02"),
        (U16, "01"),
        (U8, "0101"),
    ],
)
def test_malformed_bytes_are_refused(kind: object, data: str) -> None:
    with pytest.raises(ProtocolError):
        codec_of(kind).decode(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["ffffffffffffffffff02", "ffffffffffffffffffff01", "80"])
def test_malformed_uint_is_refused(data: str) -> None:
    with pytest.raises(ProtocolError):
        UINT.decode(bytes.fromhex(data))


def test_types_without_a_codec_are_refused() -> None:
    with pytest.raises(TypeError):
        codec_of(complex)
