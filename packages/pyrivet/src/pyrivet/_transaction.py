"""A transaction over several requests to an actor's database.

The engine keeps BEGIN open between requests, but drops it without a word when the connection
breaks or the actor is told to stop; a statement sent after that would commit by itself. So each
statement is sent behind one that only passes inside this transaction: releasing its savepoint. The
engine takes several statements in one request only without parameters, which are therefore written
into the statement.
"""

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyrivet import _protocol as p
from pyrivet._rows import rows_as
from pyrivet.errors import DatabaseError

if TYPE_CHECKING:
    from pyrivet._database import Result

T = TypeVar("T")

_POINT = "pyrivet_transaction"
_INSIDE = f"RELEASE {_POINT}; SAVEPOINT {_POINT}; "
LOST = f"no such savepoint: {_POINT}"
BEGIN = f"BEGIN IMMEDIATE; SAVEPOINT {_POINT}"
ROLLBACK = "ROLLBACK"
# Strings, names and comments, in which a question mark is none of ours.
_TOKENS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|\?\d*|;", re.DOTALL
)
_NOTHING = re.compile(r"(?:\s|;|--[^\n]*|/\*.*?\*/)*\Z", re.DOTALL)
_CONTROL = ("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE")


class TransactionLost(DatabaseError):
    """The engine has dropped the transaction."""

    def __init__(self) -> None:
        super().__init__("the transaction was lost; nothing of it was applied")


class Transaction:
    """Statements that are applied together or not at all; from `Database.transaction`."""

    def __init__(self, run: "Callable[[str, Sequence[Any]], Awaitable[Result]]") -> None:
        self._run = run
        self._open = True

    async def execute(self, sql: str, *params: Any) -> "Result":
        """Run one statement as `Database.execute` does.

        Raises DatabaseError. The transaction goes on after a statement that was refused, but not
        after the engine has lost it.
        """
        if not self._open:
            raise DatabaseError("the transaction is over")
        try:
            return await self._run(sql, params)
        except TransactionLost:
            self._open = False
            raise

    async def query(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Run one statement and return its rows, as `Database.query` does."""
        return (await self.execute(sql, *params)).rows

    async def query_as(self, kind: type[T], sql: str, *params: Any) -> list[T]:
        """Run one statement and return its rows as objects, as `Database.query_as` does."""
        return rows_as(kind, await self.query(sql, *params))

    def end(self) -> None:
        """Take no more statements; for this package only."""
        self._open = False


def commit(mark: int) -> str:
    """Return the statements that end a transaction and leave `mark` if they did."""
    return f"RELEASE {_POINT}; PRAGMA application_id = {mark}; COMMIT"


def inline(sql: str, params: Sequence[Any]) -> str:
    """Return a statement with its parameters in it, to run in the transaction and nowhere else.

    Raises DatabaseError if they do not fit.
    """
    if sql.lstrip()[:9].upper().startswith(_CONTROL):
        raise DatabaseError("a transaction begins and ends with its context")
    left = list(params)

    def put(found: re.Match[str]) -> str:
        part = found.group()
        if part == ";" and not _NOTHING.match(sql, found.end()):
            raise DatabaseError("one statement at a time")
        if not part.startswith("?"):
            return part
        if len(part) > 1:
            raise DatabaseError("parameters are plain question marks")
        if not left:
            raise DatabaseError("there are fewer parameters than question marks")
        return _literal(left.pop(0))

    text = _TOKENS.sub(put, sql)
    if left:
        raise DatabaseError("there are more parameters than question marks")
    return _INSIDE + text


def _literal(value: p.SqliteValue) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"X'{value.hex()}'"
        case str():  # as hexadecimal digits nothing in it can end the literal
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        case float():
            return _float(value)
    return f"({value})"


def _float(value: float) -> str:
    """Write a number exactly: SQLite's reading of decimals may miss the last bit."""
    if math.isnan(value):
        return "NULL"  # as SQLite keeps it
    if math.isinf(value):
        return "(9e999)" if value > 0 else "(-9e999)"
    mantissa, exponent = math.frexp(value)
    text, exponent = f"{int(mantissa * (1 << 53))}.0", exponent - 53
    while exponent:
        step = max(-62, min(62, exponent))
        text += f"{'*' if step > 0 else '/'}{1 << abs(step)}.0"
        exponent -= step
    return f"({text})"
