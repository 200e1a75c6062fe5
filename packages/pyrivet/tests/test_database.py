"""The actor's database and key-value store, on a real engine."""

from typing import Any

import pytest
from pyrivet import ActionError, Actor, ActorHandle, DatabaseError, action

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class Ledger(Actor):
    """Runs whatever SQL a test wants; refusals reach the caller as `database`."""

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


async def test_parameters_up_to_the_limit(ledger: ActorHandle) -> None:
    insert = "INSERT INTO item VALUES (?, ?)"
    await ledger.call("execute", insert, ["big", "x" * (131_072 - 3)])
    error = await refused(ledger, "execute", insert, ["bigger", "x" * 131_072])
    assert "131072" in error.message


async def test_key_value_store(ledger: ActorHandle) -> None:
    await ledger.call("use_kv")
