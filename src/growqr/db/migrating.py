"""Bringing a database to the newest version with Alembic.

Alembic takes 8 MB and a tenth of a second, so `Database` loads this only when there is something
to do.
"""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from growqr.db.engine import MIGRATIONS


def migration_config(connection: Connection) -> Config:
    """Return Alembic's configuration, for that connection; ours needs no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing."""
    command.upgrade(migration_config(connection), "head")
