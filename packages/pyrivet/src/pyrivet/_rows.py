"""Rows of a database as objects."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def rows_as(kind: type[T], rows: Sequence[dict[str, Any]]) -> list[T]:
    """Return each row as a pydantic model, dataclass or TypedDict; raises ValidationError."""
    described: Any = kind
    made: list[T] = _adapter(described).validate_python(rows)
    return made


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(list[kind])
