"""The files that people take along, as they are kept in `exports/` of the data folder.

A file has a name that nobody can guess, and whoever knows it can fetch it: so the link still
works when the account is gone. After some days, `identity.export_days`, the file is deleted.
"""

import hashlib
import json
import re
import shutil
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from growqr.errors import NotFound

_NAME = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True)
class Export:
    """A finished file; `name` is a secret."""

    name: str
    size: int
    sha256: str
    expires_at: datetime


@dataclass(frozen=True)
class Kept:
    """A file that is there, and whose it is; the account may be gone."""

    export: Export
    path: Path
    user_id: str
    email: str


class ExportFolder:
    """The files that are kept; what the operator sees of them without a running platform."""

    def __init__(self, folder: Path, days: int) -> None:
        self.path = folder
        self._kept = timedelta(days=days)

    def find(self, name: str) -> Path:
        """Return the file of that name; raises NotFound."""
        path = self.path / f"{name}.zip"
        if not _NAME.match(name) or not path.is_file() or self._expired(path):
            raise NotFound("There is no such file, or its time is over.")
        return path

    def discard(self, name: str) -> None:
        """Delete a file before its time; one that is not there is no error."""
        with suppress(NotFound):
            self.find(name).unlink(missing_ok=True)

    def told(self, path: Path) -> Export:
        """Return what there is to tell of a finished file. Reads it whole."""
        facts = path.stat()
        made_at = datetime.fromtimestamp(facts.st_mtime, UTC)
        return Export(path.stem, facts.st_size, _digest(path), made_at + self._kept)

    def all(self) -> list[Kept]:
        """Return every file, the newest last. Reads them whole."""
        found = []
        for path in self.path.glob("*.zip"):
            if not self._expired(path):
                with zipfile.ZipFile(path) as archive:
                    user = json.loads(archive.read("account.json"))["user"]
                found.append(Kept(self.told(path), path, user["id"], user["email"]))
        return sorted(found, key=lambda one: one.export.expires_at)

    def sweep(self) -> None:
        """Delete what is too old, drafts of a killed process too."""
        for path in self.path.glob("*.zip"):
            if self._expired(path):
                path.unlink(missing_ok=True)
        for draft in self.path.glob(".draft-*"):
            if self._expired(draft):
                shutil.rmtree(draft, ignore_errors=True)

    def _expired(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime < time.time() - self._kept.total_seconds()
        except FileNotFoundError:  # another process of ours was first
            return True


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
