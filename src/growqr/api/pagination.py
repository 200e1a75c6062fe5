"""Lists come in pages; a cursor says where the next one begins and means nothing else."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from growqr.errors import InvalidInput

T = TypeVar("T")

Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=200, description="Items in one page.")]


_NOT_OURS = "This is not a cursor of this list."


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


def decode_text(cursor: str | None) -> str | None:
    """Return the text behind a cursor; raises CursorInvalid."""
    position = _position(cursor)
    if isinstance(position, int):
        raise CursorInvalid(_NOT_OURS)
    return position


def decode_number(cursor: str | None) -> int | None:
    """Return the number behind a cursor; raises CursorInvalid."""
    position = _position(cursor)
    if isinstance(position, str):
        raise CursorInvalid(_NOT_OURS)
    return position


def slice_of(items: Sequence[T], cursor: str | None, limit: int) -> tuple[Sequence[T], str | None]:
    """One page of a list that is at hand, and the cursor of the next; raises CursorInvalid."""
    start = decode_number(cursor) or 0
    end = start + limit
    return items[start:end], encode_cursor(end if end < len(items) else None)


def _position(cursor: str | None) -> str | int | None:
    if cursor is None:
        return None
    try:
        position: object = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid(_NOT_OURS) from error
    if isinstance(position, str):
        return position
    if type(position) is int and 0 <= position < 2**53:
        return position
    raise CursorInvalid(_NOT_OURS)
