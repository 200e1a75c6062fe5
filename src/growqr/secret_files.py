"""Secrets that the platform makes for itself, one file each in `secrets/` of the data folder."""

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def _random_text() -> str:
    return secrets.token_urlsafe(32)


def own_secret(folder: Path, name: str, make: Callable[[], str] = _random_text) -> str:
    """Return the secret `name`, made on first use: 256 random bits as URL-safe text, or `make()`.

    The folder has mode 0700 and the file 0600. Those who race agree on one value.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        handle, draft = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        with os.fdopen(handle, "w") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave the name of an empty secret
        try:
            # A link appears whole or not at all, and fails where another was faster.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)  # noqa: PTH108 (mkstemp gives text)
    return path.read_text()
