"""The same promises on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from growqr.db.engine import Database, DatabaseUnavailable
from growqr.db.tables import Base, RefreshToken, User
from tests.support.postgres import postgres

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/db/growqr.sqlite"
    else:
        with postgres() as address:
            yield address


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.migrate()
    yield database
    await database.aclose()


def user(email: str) -> User:
    return User(id=f"usr_{email}", email=email, name="Ada", password_hash=None)


async def test_migrations_and_tables_do_not_differ(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    engine = create_async_engine(database.url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_migrating_twice_or_at_once_is_harmless(url: str) -> None:
    first, second = Database(url), Database(url)
    await asyncio.gather(first.migrate(), second.migrate())
    await first.migrate()
    async with second.session() as session:
        assert (await session.scalars(select(User))).all() == []
    await first.aclose()
    await second.aclose()


async def test_who_connects_waits_for_who_makes_the_database(tmp_path: Path) -> None:
    file = tmp_path / "growqr.sqlite"
    maker = sqlite3.connect(file, isolation_level=None)
    maker.execute("BEGIN EXCLUSIVE")
    database = Database(f"sqlite:///{file}?timeout=0")
    migrating = asyncio.create_task(database.migrate())
    await asyncio.wait({migrating}, timeout=0.2)
    assert not migrating.done()
    maker.execute("COMMIT")
    maker.close()
    await migrating
    await database.ping()
    await database.aclose()


async def test_session_commits_at_its_end_and_rolls_back_on_error(database: Database) -> None:
    async with database.session() as session:
        session.add(user("kept@example.org"))

    async def fail_midway() -> None:
        async with database.session() as session:
            session.add(user("lost@example.org"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_midway()
    async with database.session() as session:
        assert (await session.scalars(select(User.email))).all() == ["kept@example.org"]


async def test_foreign_and_unique_keys_hold(database: Database) -> None:
    async with database.session() as session:
        session.add(user("one@example.org"))
    with pytest.raises(IntegrityError):
        async with database.session() as session:
            session.add(user("one@example.org"))
    with pytest.raises(IntegrityError):
        async with database.session() as session:
            session.add(
                RefreshToken(
                    token_hash="h",
                    family_id="f",
                    user_id="usr_nobody",
                    expires_at=datetime.now(UTC),
                    used_at=None,
                    revoked_at=None,
                )
            )


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    berlin = datetime(2026, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    async with database.session() as session:
        row = user("time@example.org")
        row.created_at = berlin
        session.add(row)
    async with database.session() as session:
        read = (await session.scalars(select(User.created_at))).one()
    assert read == berlin
    assert read.tzinfo is UTC


async def test_many_writers_at_once_all_succeed(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.session() as session:
            session.add(user(f"{number}@example.org"))

    await asyncio.gather(*(write(number) for number in range(30)))
    async with database.session() as session:
        assert len((await session.scalars(select(User.id))).all()) == 30


async def test_errors_do_not_tell_what_was_to_be_stored(database: Database) -> None:
    async with database.session() as session:
        session.add(user("ada"))
    with pytest.raises(IntegrityError) as caught:
        async with database.session() as session:
            session.add(User(id="usr_2", email="ada", name="A", password_hash="$argon2id$secret"))
    assert "secret" not in str(caught.value)


@pytest.mark.live
async def test_a_database_that_goes_away_or_a_deadlock_can_be_tried_again() -> None:
    with postgres() as url:
        database = Database(url)

        async def ended() -> None:
            async with database.session() as session:
                await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        async def crossed(first: int, second: int, met: asyncio.Barrier) -> None:
            async with database.session() as session:
                await session.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
                await met.wait()
                await session.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

        with pytest.raises(DatabaseUnavailable):
            await ended()
        met = asyncio.Barrier(2)
        crossing = (crossed(1, 2, met), crossed(2, 1, met))
        outcomes = await asyncio.gather(*crossing, return_exceptions=True)
        assert sorted(type(one).__name__ for one in outcomes) == ["DatabaseUnavailable", "NoneType"]
        await database.aclose()
        nowhere = Database(url.replace("/postgres?", "/nowhere?"))
        with pytest.raises(DatabaseUnavailable):
            await nowhere.ping()
        with pytest.raises(DatabaseUnavailable, match='"nowhere" does not exist'):
            await nowhere.migrate()
        await nowhere.aclose()


async def test_more_sessions_than_connections_say_so_in_the_end(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/growqr.sqlite", wait=timedelta(milliseconds=20))
    await database.migrate()
    async with AsyncExitStack() as stack:
        for _ in range(15):
            await stack.enter_async_context(database.session())
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
    await database.ping()
    await database.aclose()


async def test_an_unreachable_database_says_so(tmp_path: Path) -> None:
    database = Database(f"postgresql://grow@/postgres?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    with pytest.raises(DatabaseUnavailable):
        await database.migrate()
    await database.aclose()
