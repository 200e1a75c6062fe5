"""Migrations keep what is there."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from growqr.db.engine import Database
from growqr.db.migrating import migration_config

pytestmark = pytest.mark.anyio


async def test_people_and_what_is_theirs_survive_every_migration(tmp_path: Path) -> None:
    """On SQLite, making a table anew would take along all rows that refer to it."""
    path = tmp_path / "old.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = migration_config(connection)
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO users (id, email, name, created_at)"
                " VALUES ('usr_1', 'ada@example.org', 'Ada', '2026-01-01 00:00:00')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO repos (id, owner_id, name, kind, description, default_branch,"
                " created_at) VALUES ('rep_1', 'usr_1', 'grow', 'primary', '', 'main',"
                " '2026-01-01 00:00:00')"
            )
        )
    engine.dispose()
    database = Database(f"sqlite:///{path}")
    await database.migrate()
    async with database.session() as session:
        assert (await session.execute(text("SELECT id FROM users"))).scalars().all() == ["usr_1"]
        assert (await session.execute(text("SELECT id FROM repos"))).scalars().all() == ["rep_1"]
    await database.aclose()


def test_a_database_of_the_newest_version_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    program = f"""
import asyncio, sys
from growqr.db.engine import Database

async def main():
    database = Database({url!r})
    await database.migrate()
    await database.aclose()

asyncio.run(main())
print("alembic" in sys.modules)
"""
    loaded = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert loaded == ["True", "False"]
