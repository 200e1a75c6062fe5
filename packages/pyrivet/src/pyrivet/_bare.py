"""BARE (Binary Application Record Encoding), with codecs derived from Python types.

`codec_of(SomeDataclass)` reads the annotations: `str`, `bytes`, `bool`, `list[T]`, `dict[K, V]`,
`T | None`, dataclasses (fields in order), `A | B` of dataclasses (tagged in order), integer enums
(one byte), and the widths below (`U8` … `I64`). See https://baremessages.org.
"""

import dataclasses
import enum
import struct
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pyrivet.errors import ProtocolError

T = TypeVar("T")


class Codec(NamedTuple, Generic[T]):
    """How one type is written to and read from bytes."""

    write: Callable[[bytearray, T], None]
    """Append the value."""
    read: Callable[["Reader"], T]
    """Take the value from the front; raises ProtocolError."""

    def encode(self, value: T) -> bytes:
        out = bytearray()
        self.write(out, value)
        return bytes(out)

    def decode(self, data: bytes) -> T:
        """Decode all of `data`; raises ProtocolError, also for bytes left over."""
        reader = Reader(data)
        value = self.read(reader)
        if reader.at != len(data):
            raise ProtocolError(f"{len(data) - reader.at} bytes left over")
        return value


class Reader:
    """A place in received bytes."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        start, end = self.at, self.at + size
        if end > len(self.data):
            raise ProtocolError(f"{size} bytes expected, {len(self.data) - start} left")
        self.at = end
        return self.data[start:end]

    def byte(self) -> int:
        at = self.at
        if at >= len(self.data):
            raise ProtocolError("unexpected end")
        self.at = at + 1
        return self.data[at]

    def uint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise ProtocolError("uint longer than 64 bits")
        if value >= 1 << 64:
            raise ProtocolError("uint longer than 64 bits")
        return value

    def count(self) -> int:
        """Read the number of items that follow; an item takes at least one byte."""
        count = self.uint()
        if count > len(self.data) - self.at:
            raise ProtocolError(f"{count} items cannot fit in the rest of the message")
        return count


def write_uint(out: bytearray, value: int) -> None:
    if value < 0 or value >= 1 << 64:
        raise ValueError(f"{value} is not an unsigned 64-bit number")
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _fixed_int(form: str) -> Codec[int]:
    packer = struct.Struct(form)

    def write(out: bytearray, value: int) -> None:
        out += packer.pack(value)

    def read(reader: Reader) -> int:
        value: int = packer.unpack(reader.take(packer.size))[0]
        return value

    return Codec(write, read)


def _write_data(out: bytearray, value: bytes) -> None:
    write_uint(out, len(value))
    out += value


def _read_data(reader: Reader) -> bytes:
    return reader.take(reader.uint())


def _write_text(out: bytearray, value: str) -> None:
    _write_data(out, value.encode())


def _read_text(reader: Reader) -> str:
    try:
        return _read_data(reader).decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("text is not UTF-8") from error


def _write_bool(out: bytearray, value: bool) -> None:
    out.append(1 if value else 0)


def _read_bool(reader: Reader) -> bool:
    byte = reader.byte()
    if byte > 1:
        raise ProtocolError(f"{byte} is not a boolean")
    return byte == 1


UINT: Codec[int] = Codec(write_uint, Reader.uint)
DATA: Codec[bytes] = Codec(_write_data, _read_data)
TEXT: Codec[str] = Codec(_write_text, _read_text)
BOOL: Codec[bool] = Codec(_write_bool, _read_bool)

U8 = Annotated[int, _fixed_int("<B")]
U16 = Annotated[int, _fixed_int("<H")]
U32 = Annotated[int, _fixed_int("<I")]
U64 = Annotated[int, _fixed_int("<Q")]
I64 = Annotated[int, _fixed_int("<q")]


def fixed_data(size: int) -> Codec[bytes]:
    """Exactly `size` bytes, with no length before them."""

    def write(out: bytearray, value: bytes) -> None:
        if len(value) != size:
            raise ValueError(f"{len(value)} bytes given where {size} belong")
        out += value

    return Codec(write, lambda reader: reader.take(size))


def optional(inner: Codec[T]) -> Codec[T | None]:
    def write(out: bytearray, value: T | None) -> None:
        out.append(0 if value is None else 1)
        if value is not None:
            inner.write(out, value)

    def read(reader: Reader) -> T | None:
        return inner.read(reader) if _read_bool(reader) else None

    return Codec(write, read)


def listing(inner: Codec[T]) -> Codec[list[T]]:
    def write(out: bytearray, value: list[T]) -> None:
        write_uint(out, len(value))
        for item in value:
            inner.write(out, item)

    def read(reader: Reader) -> list[T]:
        take = inner.read
        return [take(reader) for _ in range(reader.count())]

    return Codec(write, read)


def mapping(key: Codec[Any], item: Codec[T]) -> Codec[dict[Any, T]]:
    def write(out: bytearray, value: dict[Any, T]) -> None:
        write_uint(out, len(value))
        for name, entry in value.items():
            key.write(out, name)
            item.write(out, entry)

    def read(reader: Reader) -> dict[Any, T]:
        return {key.read(reader): item.read(reader) for _ in range(reader.count())}

    return Codec(write, read)


def union(members: Mapping[int, type]) -> Codec[Any]:
    """One of several dataclasses, each with the tag it has on the wire."""
    by_tag = {tag: codec_of(cls).read for tag, cls in members.items()}
    by_type = {cls: (tag, codec_of(cls).write) for tag, cls in members.items()}

    def write(out: bytearray, value: Any) -> None:
        tag, write_member = by_type[type(value)]
        write_uint(out, tag)
        write_member(out, value)

    def read(reader: Reader) -> Any:
        tag = reader.uint()
        member = by_tag.get(tag)
        if member is None:
            raise ProtocolError(f"unknown tag {tag}")
        return member(reader)

    return Codec(write, read)


def _record(cls: type) -> Codec[Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls)]
    codecs = [codec_of(hints[name]) for name in names]
    writers = [(name, codec.write) for name, codec in zip(names, codecs, strict=True)]
    readers = [codec.read for codec in codecs]

    def write(out: bytearray, value: Any) -> None:
        for name, write_field in writers:
            write_field(out, getattr(value, name))

    def read(reader: Reader) -> Any:
        return cls(*[read_field(reader) for read_field in readers])

    return Codec(write, read)


def _enumeration(cls: type[enum.IntEnum]) -> Codec[Any]:
    def read(reader: Reader) -> enum.IntEnum:
        byte = reader.byte()
        try:
            return cls(byte)
        except ValueError:
            raise ProtocolError(f"{byte} is not a {cls.__name__}") from None

    return Codec(lambda out, value: out.append(int(value)), read)


_SIMPLE: dict[Any, Codec[Any]] = {str: TEXT, bytes: DATA, bool: BOOL}


def codec_of(hint: Any) -> Codec[Any]:
    """Return the codec of a type; raises TypeError for types BARE cannot hold."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        codec = args[1]
        assert isinstance(codec, Codec), hint
        return codec
    if origin is list:
        return listing(codec_of(args[0]))
    if origin is dict:
        return mapping(codec_of(args[0]), codec_of(args[1]))
    if origin in (typing.Union, types.UnionType):
        members = [arg for arg in args if arg is not types.NoneType]
        inner = codec_of(members[0]) if len(members) == 1 else union(dict(enumerate(members)))
        return inner if len(members) == len(args) else optional(inner)
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return _enumeration(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _record(hint)
    raise TypeError(f"no BARE codec for {hint!r}")
