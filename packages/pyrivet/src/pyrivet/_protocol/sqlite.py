"""Statements for the databases of actors, which run in the engine.

Page-level messages are left out: this package never asks for pages.
"""

import struct
from dataclasses import dataclass
from typing import Annotated, Any

from pyrivet._bare import I64, U32, U64, Codec, Reader, write_uint
from pyrivet.errors import ProtocolError

SqliteValue = None | int | float | str | bytes
_I64 = struct.Struct("<q")
_F64 = struct.Struct(">d")  # the one big-endian value of the protocol


def _write_value(out: bytearray, value: SqliteValue) -> None:
    match value:
        case None:
            out.append(0)
        case int():
            out.append(1)
            out += _I64.pack(value)
        case float():
            out.append(2)
            out += _F64.pack(value)
        case str():
            data = value.encode()
            out.append(3)
            write_uint(out, len(data))
            out += data
        case _:
            out.append(4)
            write_uint(out, len(value))
            out += value


def _read_value(reader: Reader) -> SqliteValue:
    match reader.byte():
        case 0:
            return None
        case 1:
            number: int = _I64.unpack(reader.take(8))[0]
            return number
        case 2:
            real: float = _F64.unpack(reader.take(8))[0]
            return real
        case 3:
            # SQLite keeps whatever bytes a text column was given.
            return reader.take(reader.uint()).decode(errors="replace")
        case 4:
            return reader.take(reader.uint())
        case tag:
            raise ProtocolError(f"unknown SQLite value {tag}")


Value = Annotated[Any, Codec(_write_value, _read_value)]


@dataclass(frozen=True, slots=True)
class SqlTarget:
    """Whose database; the engine wants the namespace's name here, not its id."""

    namespace: str
    actor_id: str
    generation: U64


@dataclass(frozen=True, slots=True)
class SqlStatement:
    sql: str
    params: list[Value] | None


@dataclass(frozen=True, slots=True)
class SqlResult:
    columns: list[str]
    rows: list[list[Value]]
    changes: I64
    last_insert_row_id: I64 | None


@dataclass(frozen=True, slots=True)
class SqlRows:
    columns: list[str]
    rows: list[list[Value]]


@dataclass(frozen=True, slots=True)
class SqlResults:
    results: list[SqlResult]


@dataclass(frozen=True, slots=True)
class SqlFailure:
    group: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SqlScript:
    request_id: U32
    target: SqlTarget
    sql: str


@dataclass(frozen=True, slots=True)
class SqlExecute:
    request_id: U32
    target: SqlTarget
    statement: SqlStatement


@dataclass(frozen=True, slots=True)
class SqlBatch:
    request_id: U32
    target: SqlTarget
    statements: list[SqlStatement]


@dataclass(frozen=True, slots=True)
class SqlScriptDone:
    request_id: U32
    data: SqlRows | SqlFailure


@dataclass(frozen=True, slots=True)
class SqlExecuted:
    request_id: U32
    data: SqlResult | SqlFailure


@dataclass(frozen=True, slots=True)
class SqlBatchDone:
    request_id: U32
    data: SqlResults | SqlFailure
