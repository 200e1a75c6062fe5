"""Migrations keep what is there."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from growqr.db.engine import Database, migration_config

pytestmark = pytest.mark.anyio


async def test_people_and_what_is_theirs_survive_every_migration(tmp_path: Path) -> None:
    """On SQLite, making a table anew would take along all rows that refer to it."""
    path = tmp_path / "old.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
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
