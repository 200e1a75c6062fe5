"""The connection to the database: SQLite for one machine, PostgreSQL for many processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from growqr.errors import Unavailable

MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 0x67726F77  # "grow": any number will do, as long as all our processes use it
_PASSING = ("08", "40", "53", "57")
"""Classes of SQLSTATE: connection lost, deadlock, no resources, shut down."""
_BUSY_MS = 10_000
"""How long a statement waits for another connection's transaction in SQLite."""
_MAKING_MS = 120_000
"""How long it waits for another process that makes or migrates the database."""
_NO_ANSWER = "The database does not answer. Try again shortly."


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or stayed locked too long."""

    code = "database_unavailable"


class Database:
    """A pool of connections; safe to share between tasks.

    `url` is an SQLAlchemy URL. `sqlite://` and `postgresql://` mean the drivers we ship,
    aiosqlite and asyncpg. Nothing connects before the first use. `wait` is how long a session
    waits for a free connection.
    """

    def __init__(self, url: str, *, wait: timedelta = timedelta(seconds=10)) -> None:
        self.url = _with_driver(make_url(url))
        self._engine = create_async_engine(
            self.url,
            pool_pre_ping=not self.is_sqlite,
            pool_timeout=wait.total_seconds(),
            hide_parameters=True,  # errors are logged; what was to be stored is not
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        if self.is_sqlite:
            event.listen(self._engine.sync_engine, "connect", _tune_sqlite)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Keep the block short and never wait for anything but the database inside. Raises
        DatabaseUnavailable when the database can't be reached.
        """
        try:
            async with self._sessions.begin() as session:
                await _connect(session)
                yield session
        except DBAPIError as error:
            if not _is_passing(error):
                raise
            raise DatabaseUnavailable(_NO_ANSWER) from error

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless a statement works."""
        async with self.session() as session:
            await session.execute(text("SELECT 1"))

    async def migrate(self) -> None:
        """Bring the schema to the newest version; safe to repeat and to race.

        All steps run in one transaction, so a crash leaves the old version.
        """
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            async with self._engine.connect() as connection:
                newest = await connection.run_sync(_is_newest)
            if not newest:
                async with self._engine.begin() as connection:
                    await connection.run_sync(_upgrade)
        except (DBAPIError, OSError) as error:
            why = error.orig if isinstance(error, DBAPIError) else error
            raise DatabaseUnavailable(f"The database can't be prepared: {why}") from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


async def _connect(session: AsyncSession) -> None:
    """Take the connection now: why there is none is only told apart from other errors here."""
    try:
        await session.connection()
    except (OSError, PoolTimeout, DBAPIError) as error:
        raise DatabaseUnavailable(_NO_ANSWER) from error


def _is_passing(error: DBAPIError) -> bool:
    """Whether it is the database's state, and not what was asked of it."""
    if isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", "") or "")[:2] in _PASSING


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    return bool(version == max(file.name.partition("_")[0] for file in files))


def _upgrade(connection: Connection) -> None:
    from growqr.db.migrating import upgrade

    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_MAKING_MS}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # one migrating process at a time
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_MS}")
    else:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
    upgrade(connection)


def _with_driver(url: URL) -> URL:
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def _tune_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set what every connection needs.

    With WAL and synchronous=NORMAL a power cut can lose the last commits but never corrupts;
    readers don't wait for the writer. sqlite3's own transaction handling stays: it begins
    with the first write, so a read never has to be upgraded, which could not be retried.
    """
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_MAKING_MS}",  # another process may be making the database
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        f"busy_timeout = {_BUSY_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
