"""Lists come in pages; a cursor says where the next one begins and means nothing else."""

import base64
import binascii
import json
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from growqr.errors import InvalidInput

T = TypeVar("T")

Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="Items in one page.")]


class CursorInvalid(InvalidInput):
    """Not a cursor that we gave."""

    code = "cursor_invalid"


class Page(BaseModel, Generic[T]):
    """Part of a list."""

    items: list[T]
    next_cursor: str | None = Field(None, description="None: this was the last page.")


def encode_cursor(position: str | int | None) -> str | None:
    """Return an opaque cursor; None stays None."""
    if position is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_position(cursor: str | None) -> str | int | None:
    """Return the position behind a cursor; raises CursorInvalid."""
    position = _decode(cursor)
    if isinstance(position, str) or position is None:
        return position
    return decode_number(cursor)


def decode_number(cursor: str | None) -> int | None:
    """Return the number behind a cursor; raises CursorInvalid."""
    position = _decode(cursor)
    if position is not None and (not isinstance(position, int) or not 0 <= position < 2**53):
        raise CursorInvalid("This is not a cursor of this list.")
    return position


def _decode(cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return json.loads(raw)
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid("This is not a cursor of this list.") from error
