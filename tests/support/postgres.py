"""A PostgreSQL server for one test run: its own cluster, in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class PostgresMissing(Exception):
    """No PostgreSQL programs on this machine."""


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    named = shutil.which("initdb")
    if found:
        return found[-1].parent
    if named:
        return Path(named).parent
    raise PostgresMissing("install the package `postgresql` to run this test")


def _as_other(command: Sequence[str | Path]) -> list[str | Path]:
    """PostgreSQL refuses to run as root; then it runs as the user its package made."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *command]


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty database, on a Unix socket of its own."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="grow-pg-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        data = folder / "data"
        control = programs / "pg_ctl"
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        commands: list[list[str | Path]] = [
            [programs / "initdb", "-D", data, "-U", "grow", "-A", "trust", "-E", "UTF8", "-N"],
            [control, "-D", data, "-w", "-t", "300", "-l", folder / "log", "-o", options, "start"],
        ]
        for command in commands:
            subprocess.run(_as_other(command), check=True, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            yield f"postgresql+asyncpg://grow@/postgres?host={folder}"
        finally:
            stop: list[str | Path] = [control, "-D", data, "-w", "-m", "immediate", "stop"]
            subprocess.run(_as_other(stop), check=True, stdout=subprocess.DEVNULL, cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
