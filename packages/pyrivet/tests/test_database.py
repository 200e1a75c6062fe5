"""The actor's database and key-value store, on a real engine."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from pyrivet import ActionError, Actor, ActorHandle, CallInterrupted, DatabaseError, Worker, action

from .conftest import Stage
from .proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@dataclass
class Item:
    name: str
    value: int


class Ledger(Actor):
    """Runs whatever SQL a test wants; refusals reach the caller as `database`."""

    def __init__(self) -> None:
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()

    async def on_create(self) -> None:
        await self.db.script(
            "CREATE TABLE item (name TEXT PRIMARY KEY, value ANY);"
            "CREATE TABLE part (item TEXT REFERENCES item (name));"
        )

    @action
    async def execute(self, sql: str, params: list[Any]) -> Any:
        try:
            result = await self.db.execute(sql, *params)
        except DatabaseError as error:
            raise ActionError("database", str(error), {"constraint": error.constraint}) from error
        return {"rows": result.rows, "changes": result.changes, "id": result.last_row_id}

    @action
    async def batch(self, statements: list[tuple[str, list[Any]]]) -> list[list[dict[str, Any]]]:
        try:
            return [result.rows for result in await self.db.batch(statements)]
        except DatabaseError as error:
            raise ActionError("database", str(error), {"constraint": error.constraint}) from error

    @action
    async def transfer(self, amounts: dict[str, int], fail: bool = False) -> list[Item]:
        """Add up items in a transaction; returns what it saw at the end."""
        async with self.db.transaction() as tx:
            for name, amount in amounts.items():
                before = "SELECT coalesce(sum(value), 0) AS v FROM item WHERE name = ?"
                [row] = await tx.query(before, name)
                await tx.execute(
                    "INSERT OR REPLACE INTO item VALUES (?, ?)", name, row["v"] + amount
                )
            if fail:
                raise ActionError("stopped")
            return await tx.query_as(Item, "SELECT name, value FROM item ORDER BY name")

    @action
    async def results(self) -> None:
        async with self.db.transaction() as tx:
            added = await tx.execute("INSERT INTO item VALUES (?, ?), ('b', 2)", "a", 1.5)
            assert (added.rows, added.changes, added.last_row_id) == ([], 2, 2)
            back = await tx.execute("DELETE FROM item RETURNING name, value")
            assert back.rows == [{"name": "a", "value": 1.5}, {"name": "b", "value": 2}]
            assert back.changes == 2
            await tx.execute("INSERT INTO item VALUES ('c', 3)")
            with pytest.raises(DatabaseError) as caught:
                await tx.execute("INSERT INTO item VALUES ('c', 4)")
            assert caught.value.constraint
            with pytest.raises(DatabaseError, match="a transaction is open"):
                await self.db.query("SELECT 1")
            with pytest.raises(DatabaseError, match="begins and ends"):
                await tx.execute("COMMIT")
        with pytest.raises(DatabaseError, match="is over"):
            await tx.query("SELECT 1")
        with pytest.raises(DatabaseError, match="took too long"):
            await self.delete_slowly()
        await self.db.execute("INSERT INTO item VALUES ('last', 1)")

    async def delete_slowly(self) -> None:
        async with self.db.transaction(timeout=timedelta(milliseconds=50)) as tx:
            await tx.execute("DELETE FROM item")
            await asyncio.Event().wait()

    @action
    async def defer(self) -> None:
        async with self.db.transaction() as tx:
            await tx.execute("PRAGMA defer_foreign_keys = ON")
            await tx.execute("INSERT INTO part VALUES ('missing')")

    @action
    async def pause(self) -> None:
        async with self.db.transaction() as tx:
            await tx.execute("INSERT INTO item VALUES ('early', 1)")
            self.paused.set()
            await self.resumed.wait()
            await tx.execute("INSERT INTO item VALUES ('late', 1)")

    @action(concurrent=True)
    async def wait_for_pause(self) -> None:
        await self.paused.wait()

    @action(concurrent=True)
    async def resume(self) -> list[dict[str, Any]]:
        """Let `pause` go on, and return what this sees, asked for before."""
        await self.wait_for_pause()
        reading = asyncio.create_task(self.db.query("SELECT name FROM item ORDER BY name"))
        await asyncio.sleep(0)
        assert not reading.done()
        self.resumed.set()
        return await reading

    @action
    async def items(self) -> list[Item]:
        with pytest.raises(ValidationError):
            await self.db.query_as(Item, "SELECT 'a' AS name, 'b' AS value")
        return await self.db.query_as(Item, "SELECT name, value FROM item ORDER BY name")

    @action
    async def types(self) -> None:
        values = (None, True, -(2**63), 2.5, "é", b"\x00\xff", bytearray(b"x"))
        row = (await self.db.query("SELECT ? a, ? b, ? c, ? d, ? e, ? f, ? g", *values))[0]
        assert tuple(row.values()) == (None, 1, -(2**63), 2.5, "é", b"\x00\xff", b"x")

    @action
    async def wrong_type(self) -> None:
        for value in (object(), 2**63, {"a": 1}):
            with pytest.raises(DatabaseError):
                await self.db.execute("SELECT ?", value)

    @action
    async def use_kv(self) -> None:
        await self.kv.put({b"a1": b"1", b"a2": b"2", b"b": b"3"})
        await self.kv.delete([b"a2", b"missing"])
        assert await self.kv.get([b"b", b"missing", b"a1"]) == {b"b": b"3", b"a1": b"1"}
        assert await self.kv.list(b"a") == {b"a1": b"1"}
        for values in ({b"k": b"x" * 131_073}, {bytes(2_047): b""}):
            with pytest.raises(DatabaseError):
                await self.kv.put(values)


@pytest.fixture
async def ledger(stage: Stage, key: list[str]) -> ActorHandle:
    await stage.work(ledger=Ledger)
    client = await stage.client()
    return client.get_or_create("ledger", key)


async def refused(ledger: ActorHandle, name: str, *args: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await ledger.call(name, *args)
    assert caught.value.code == "database"
    return caught.value


async def test_statement_reports_changes_and_rows(ledger: ActorHandle) -> None:
    insert = "INSERT INTO item VALUES (?, ?)"
    assert await ledger.call("execute", insert, ["a", 1]) == {"rows": [], "changes": 1, "id": 1}
    rows = (await ledger.call("execute", "SELECT * FROM item", []))["rows"]
    assert rows == [{"name": "a", "value": 1}]


async def test_values_keep_their_types(ledger: ActorHandle) -> None:
    await ledger.call("types")
    await ledger.call("wrong_type")


async def test_broken_rule_is_told_apart_from_broken_sql(ledger: ActorHandle) -> None:
    await ledger.call("execute", "INSERT INTO item VALUES ('a', 1)", [])
    error = await refused(ledger, "execute", "INSERT INTO item VALUES ('a', 2)", [])
    assert error.metadata == {"constraint": True}
    assert "item.name" in error.message
    error = await refused(ledger, "execute", "INSERT INTO part VALUES ('missing')", [])
    assert error.metadata == {"constraint": True}
    error = await refused(ledger, "execute", "SELEC 1", [])
    assert error.metadata == {"constraint": False}


async def test_batch_is_all_or_nothing(ledger: ActorHandle) -> None:
    insert = "INSERT INTO item VALUES (?, ?)"
    await ledger.call("batch", [(insert, ["a", 1]), (insert, ["b", 2])])
    await refused(ledger, "batch", [(insert, ["c", 3]), (insert, ["a", 4])])
    rows = await ledger.call("batch", [("SELECT name FROM item ORDER BY name", [])])
    assert rows == [[{"name": "a"}, {"name": "b"}]]
    assert await ledger.call("batch", []) == []


async def test_transaction_sees_its_own_writes_and_is_all_or_nothing(ledger: ActorHandle) -> None:
    expected = [{"name": "a", "value": 3}, {"name": "b", "value": -2}]
    await ledger.call("transfer", {"a": 1, "b": -1})
    with pytest.raises(ActionError, match="stopped"):
        await ledger.call("transfer", {"a": 5, "c": 5}, True)
    assert await ledger.call("transfer", {"a": 2, "b": -1}) == expected
    assert await ledger.call("items") == expected


async def test_transaction_answers_and_refuses_as_statements_do(ledger: ActorHandle) -> None:
    await ledger.call("results")
    rows = (await ledger.call("execute", "SELECT name FROM item", []))["rows"]
    assert rows == [{"name": "c"}, {"name": "last"}]


async def test_transaction_whose_end_is_refused_is_undone(ledger: ActorHandle) -> None:
    with pytest.raises(ActionError, match="internal_error"):
        await ledger.call("defer")
    assert (await ledger.call("execute", "SELECT * FROM part", []))["rows"] == []


async def test_other_statements_wait_for_a_transaction(ledger: ActorHandle) -> None:
    paused = asyncio.create_task(ledger.call("pause"))
    assert await ledger.call("resume") == [{"name": "early"}, {"name": "late"}]
    await paused


async def test_transaction_over_a_broken_connection_applies_nothing(
    stage: Stage, key: list[str]
) -> None:
    async with Proxy(stage.endpoint).serve() as proxy:
        actors = {"ledger": Ledger}
        async with Worker(proxy.endpoint, actors, pool=stage.pool, token=stage.token):
            client = await stage.client()
            ledger = client.get_or_create("ledger", key)
            pausing = asyncio.create_task(ledger.call("pause"))
            await ledger.call("wait_for_pause")
            proxy.cut()
            assert await ledger.call("resume", retry=True) == []
            with pytest.raises((ActionError, CallInterrupted)):
                await pausing
            assert (await ledger.call("execute", "SELECT name FROM item", []))["rows"] == []


async def test_parameters_up_to_the_limit(ledger: ActorHandle) -> None:
    insert = "INSERT INTO item VALUES (?, ?)"
    await ledger.call("execute", insert, ["big", "x" * (131_072 - 3)])
    error = await refused(ledger, "execute", insert, ["bigger", "x" * 131_072])
    assert "131072" in error.message


async def test_key_value_store(ledger: ActorHandle) -> None:
    await ledger.call("use_kv")
