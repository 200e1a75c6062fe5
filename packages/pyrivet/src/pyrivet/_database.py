"""The SQLite database of an actor, which lives in the engine."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from pyrivet import _protocol as p
from pyrivet._backoff import Backoff
from pyrivet._envoy import Envoy, LinkLost
from pyrivet._rows import rows_as
from pyrivet._transaction import (
    BEGIN,
    LOST,
    ROLLBACK,
    Transaction,
    TransactionLost,
    commit,
    inline,
)
from pyrivet._turns import Turns
from pyrivet.errors import DatabaseError, DatabaseInterrupted

T = TypeVar("T")

MAX_PARAM_BYTES = 131_072
"""The engine's limit on the parameters of one statement, together."""
MAX_BATCH_BYTES = 16 << 20

# The engine closes a database when it tells an actor to stop and opens it again for what follows.
# A statement that was waiting then has not run.
_NOT_RUN = ("sqlite worker is closing", "sqlite worker command queue is full")
_DIED = "sqlite worker"
_REPLACED = "actor does not exist"
# What may run twice, and outside a transaction.
_READS = ("SELECT", "VALUES", "EXPLAIN", "PRAGMA")
_MARK = p.SqlStatement("PRAGMA application_id", None)
_NOTHING = p.SqlStatement("SELECT 1", None)
_TRANSACTION_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement answered."""

    rows: list[dict[str, Any]]
    """Column name to value."""
    changes: int
    """Rows changed; meaningless after a statement that only reads."""
    last_row_id: int | None
    """Of the row inserted last; None if there was none yet."""


class Owner(Protocol):
    """Whose database it is."""

    def interrupted(self) -> None:
        """Restart, as nobody knows what a write did."""

    def fail(self, why: str) -> None:
        """Stop at once: this generation may not go on."""


class Database:
    """Statements run in the order they were sent. Every write is durable when it returns.

    A broken connection is hidden: reads are repeated, and so are writes that turn out not to have
    been applied. To tell, each write sets `PRAGMA application_id`, which is this package's alone.
    Only the result of a write that was applied may be lost with the connection; whoever looks at
    it then gets DatabaseInterrupted, and the actor restarts.

    Several statements are one transaction in a `batch`, where they are known beforehand, or in a
    `transaction`. Do not use BEGIN and COMMIT: the engine may drop what they opened unnoticed.
    """

    def __init__(self, envoy: Envoy, actor_id: str, generation: int, owner: Owner) -> None:
        self._envoy = envoy
        self._target = p.SqlTarget(envoy.address.namespace, actor_id, generation)
        self._owner = owner
        self._writing = asyncio.Lock()
        self._turns = Turns()

    async def execute(self, sql: str, *params: Any) -> Result:
        """Run one statement with `?` placeholders.

        Parameters are None, bool, int, float, str or bytes. Raises DatabaseError.
        """
        statement = _statement(sql, params)
        if not _is_read(sql):
            return (await self._write([statement]))[0]
        async with self._turns.shared():
            return await self._read(statement)

    async def query(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Run one statement and return its rows, as column name to value. Raises DatabaseError."""
        return (await self.execute(sql, *params)).rows

    async def query_as(self, kind: type[T], sql: str, *params: Any) -> list[T]:
        """Run one statement and return its rows as a pydantic model, dataclass or TypedDict.

        Raises DatabaseError; pydantic's ValidationError for rows of another shape.
        """
        return rows_as(kind, await self.query(sql, *params))

    async def batch(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Result]:
        """Run statements as one transaction in one round trip: all of them or none.

        Raises DatabaseError when one is refused; then nothing has changed.
        """
        if not statements:
            return []
        prepared = [_statement(sql, params) for sql, params in statements]
        size = sum(len(s.sql) + _size(s.params or []) for s in prepared)
        if size > MAX_BATCH_BYTES:
            raise DatabaseError(f"a batch of {size} bytes is over the limit of {MAX_BATCH_BYTES}")
        return await self._write(prepared)

    @asynccontextmanager
    async def transaction(
        self, *, timeout: timedelta = _TRANSACTION_TIMEOUT
    ) -> AsyncIterator[Transaction]:
        """Open a transaction: `async with db.transaction() as tx: await tx.execute(…)`.

        It is applied at the end of the context, and not at all if that is left by an error. Other
        statements of the actor wait until then, so keep it short; after `timeout` it is undone.
        Each statement takes a round trip: prefer `batch` where the statements are known.

        Raises:
            DatabaseError: the engine refused or lost it, or it took too long; nothing was applied
                and it may be tried again.
        """
        async with self._turns.alone():
            current = Transaction(self._run_inside)
            try:
                async with asyncio.timeout(timeout.total_seconds()) as limit:
                    try:
                        await self._begin()
                        yield current
                        current.end()
                        await self._commit()
                    except BaseException:
                        current.end()
                        await asyncio.shield(asyncio.create_task(self._rollback()))
                        raise
            except TimeoutError as error:
                if limit.expired():
                    raise DatabaseError("the transaction took too long and was undone") from error
                raise

    async def ensure(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[Result]:
        """Run statements that may run twice, such as CREATE … IF NOT EXISTS and SELECT.

        One transaction and one round trip like `batch`, but free of the write that tells whether
        a batch was applied: where nothing changes, nothing is written. Raises DatabaseError.
        """
        prepared, target = [_statement(*statement) for statement in statements], self._target
        async with self._turns.shared():
            answer = await self._ask(lambda request_id: p.SqlBatch(request_id, target, prepared))
        return [_result(result) for result in answer.results]

    async def script(self, sql: str) -> None:
        """Run several statements without parameters, such as a schema, or one like VACUUM.

        Not one transaction, so write them to be repeatable (`IF NOT EXISTS`). Raises
        DatabaseError; DatabaseInterrupted when the connection broke meanwhile.
        """
        async with self._turns.shared():
            try:
                await self._script(sql)
            except LinkLost as error:
                self._owner.interrupted()
                raise DatabaseInterrupted("unknown how far the script came") from error

    async def _read(self, statement: p.SqlStatement) -> Result:
        target = self._target
        return _result(await self._ask(lambda number: p.SqlExecute(number, target, statement)))

    async def _write(self, statements: list[p.SqlStatement]) -> list[Result]:
        # One write at a time, so that the mark in the database is that of the last one.
        async with self._turns.shared(), self._writing:
            mark = _new_mark()
            marked = [*statements, p.SqlStatement(f"PRAGMA application_id = {mark}", None)]
            target = self._target
            while True:
                try:
                    answer = await self._ask(
                        lambda request_id: p.SqlBatch(request_id, target, marked), repeat=False
                    )
                except LinkLost:
                    if await self._last_mark() == mark:
                        return [_LostResult(self._owner) for _ in statements]
                else:
                    return [_result(result) for result in answer.results[:-1]]

    async def _last_mark(self) -> int:
        mark: int = (await self._read(_MARK)).rows[0]["application_id"]
        return mark

    async def _script(self, sql: str, *, repeat: bool = False) -> p.SqlRows:
        target = self._target
        answer: p.SqlRows = await self._ask(
            lambda request_id: p.SqlScript(request_id, target, sql), repeat=repeat
        )
        return answer

    async def _begin(self) -> None:
        while True:
            try:
                await self._script(BEGIN)
            except LinkLost:
                await self._rollback()  # in case it is open
            else:
                return

    async def _run_inside(self, sql: str, params: Sequence[Any]) -> Result:
        """Run a statement in the transaction that is open; raises TransactionLost."""
        script = self._guarded(inline(sql, _statement(sql, params).params or []))
        if _is_read(sql):
            return Result(_rows(await script), 0, None)
        # The engine tells with each statement what the last write did.
        answer, after = await asyncio.gather(script, self._read(_NOTHING))
        return Result(_rows(answer), after.changes, after.last_row_id)

    async def _commit(self) -> None:
        mark = _new_mark()
        try:
            await self._guarded(commit(mark))
        except TransactionLost:
            await self._rollback()  # so that the mark is that of what is committed
            if await self._last_mark() != mark:
                raise

    async def _guarded(self, sql: str) -> p.SqlRows:
        try:
            return await self._script(sql)
        except LinkLost as error:
            raise TransactionLost from error
        except DatabaseError as error:
            if LOST in str(error):
                raise TransactionLost from error
            raise

    async def _rollback(self) -> None:
        with suppress(DatabaseError):  # none is open
            await self._script(ROLLBACK, repeat=True)

    async def _ask(self, make: Callable[[int], p.ToEngine], *, repeat: bool = True) -> Any:
        """Send a request until it has run; raises LinkLost when that is unknown."""
        backoff = Backoff(0.01, 0.5)
        while True:
            answer = await self._envoy.request(make, repeat=repeat)
            if not isinstance(answer, p.SqlFailure):
                return answer
            if _REPLACED in answer.message:
                self._owner.fail("another generation has started")
            if _DIED not in answer.message:
                constraint = "constraint failed" in answer.message
                raise DatabaseError(answer.message, constraint=constraint)
            if not repeat and not answer.message.endswith(_NOT_RUN):
                raise LinkLost(answer.message)
            await asyncio.sleep(backoff.delay())


class _LostResult(Result):
    """Stands for a result that was lost; its fields were never set."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Owner) -> None:
        object.__setattr__(self, "_owner", owner)

    def __getattr__(self, name: str) -> Any:
        if name in ("rows", "changes", "last_row_id"):
            self._owner.interrupted()
            raise DatabaseInterrupted("the write was applied, but its result is lost")
        raise AttributeError(name)


def _is_read(sql: str) -> bool:
    return sql.lstrip()[:7].upper().startswith(_READS)


def _statement(sql: str, params: Sequence[Any]) -> p.SqlStatement:
    values = [_value(param) for param in params]
    size = _size(values)
    if size > MAX_PARAM_BYTES:
        raise DatabaseError(
            f"parameters of {size} bytes are over the engine's limit of {MAX_PARAM_BYTES} "
            "for one statement: split the value over several rows"
        )
    return p.SqlStatement(sql, values)


def _size(values: Sequence[p.SqliteValue]) -> int:
    size = 0
    for value in values:
        if isinstance(value, str):
            size += len(value) if value.isascii() else len(value.encode())
        else:
            size += len(value) if isinstance(value, bytes) else 8
    return size


def _value(value: Any) -> p.SqliteValue:
    if value is None or isinstance(value, str | float | bytes):
        return value
    if isinstance(value, int):  # a bool too: SQLite keeps it as 0 or 1
        if not -(1 << 63) <= value < 1 << 63:
            raise DatabaseError(f"{value} does not fit in 64 bits")
        return int(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise DatabaseError(f"SQLite cannot hold a {type(value).__name__}; convert it first")


def _result(answer: p.SqlResult) -> Result:
    return Result(_rows(answer), answer.changes, answer.last_insert_row_id)


def _rows(answer: p.SqlResult | p.SqlRows) -> list[dict[str, Any]]:
    columns = answer.columns
    return [dict(zip(columns, row, strict=True)) for row in answer.rows]


def _new_mark() -> int:
    return random.randrange(1, 1 << 31)  # noqa: S311 - tells writes apart, hides nothing
