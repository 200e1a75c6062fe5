"""`INSERT … ON CONFLICT`."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


def insert_into(session: AsyncSession, table: Any) -> Any:
    """SQLite and PostgreSQL spell `ON CONFLICT` alike, but SQLAlchemy keeps them apart."""
    dialect = session.get_bind().dialect.name
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)
