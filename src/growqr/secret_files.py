"""Secrets that the platform makes for itself, one file each in `secrets/` of the data folder."""

import os
import secrets
from pathlib import Path


def own_secret(folder: Path, name: str) -> str:
    """Return the secret `name`, made on first use: 256 random bits as URL-safe text.

    The folder has mode 0700 and the file 0600. Two processes that race agree on one value.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    draft = folder / f".{name}.{os.getpid()}"
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(32))
        try:
            # A link appears whole or not at all, and fails where another was faster.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
