"""What Alembic runs: our tables, on the connection that `Database.migrate` opened."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from growqr.db.tables import Base, UtcDateTime


def _render(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write our own types as what the database sees: migrations must not follow the code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_item=_render,
    render_as_batch=True,  # SQLite can't alter most things of a table in place
)
context.run_migrations()
