"""Write a new migration: `python -m growqr.db.migrations add_last_seen "Add last_seen"`.

It compares the tables with a fresh database at the newest version; read what it wrote.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from growqr.db.migrating import migration_config


def main(name: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'fresh.sqlite'}")
        with engine.begin() as connection:
            config = migration_config(connection)
            command.upgrade(config, "head")
            number = len(list(Path(__file__).with_name("versions").glob("[0-9]*.py"))) + 1
            config.set_main_option("file_template", f"{number:04}_{name}")
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
