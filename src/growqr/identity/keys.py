"""The keys that sign our tokens: one signs, those before it verify until their tokens are over.

A new one is published before it signs, so that whoever keeps the published keys for as long as
they may has it by then. The keys are a JSON Web Key Set in `secrets/token-keys.json`, the newest
first. Every process that shares the folder sees a rotation with its next token: the file is
looked at each time and read when it has changed.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from growqr.secret_files import own_secret

ALGORITHM = "Ed25519"
KEEP_SECONDS = 300
"""How long others may keep the published keys without reading them again."""
AHEAD_SECONDS = KEEP_SECONDS + 60
"""From publishing a key to signing with it."""
_FILE = "token-keys.json"


class SigningKeys:
    """Ed25519 keys by their `kid`, the RFC 7638 thumbprint."""

    def __init__(self, secrets: Path, clock: Callable[[], float] = time.time) -> None:
        """Use the keys in the folder `secrets`; the first process makes one."""
        self._file = secrets / _FILE
        self._clock = clock
        self._seen: tuple[int, int] = (0, 0)
        self._keys: dict[str, OKPKey] = {}
        self._from: dict[str, float] = {}
        self._until: dict[str, float] = {}
        own_secret(secrets, _FILE, lambda: _dump([_new_key()]))

    def current(self) -> tuple[str, OKPKey]:
        """Return the key that signs, with its id."""
        self._look()
        now = self._clock()
        return next(
            (key_id, key) for key_id, key in self._keys.items() if self._from.get(key_id, 0) <= now
        )

    def find(self, key_id: str) -> OKPKey | None:
        """Return a key that verifies now."""
        self._look()
        if self._until.get(key_id, float("inf")) <= self._clock():
            return None
        return self._keys.get(key_id)

    def published(self) -> dict[str, Any]:
        """Return the public halves as a JSON Web Key Set, for others that verify our tokens."""
        self._look()
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": key_id, "alg": ALGORITHM, "use": "sig"}
                for key_id, key in self._keys.items()
                if self._until.get(key_id, float("inf")) > self._clock()
            ]
        }

    def rotate(self, overlap: float, ahead: float = AHEAD_SECONDS) -> str:
        """Publish a new key, sign with it `ahead` seconds later, and return its id.

        The keys until then verify for `overlap` seconds more; with 0 for both, at once no
        more: what they have signed is worthless.
        """
        with (self._file.parent / f".{_FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = self._clock()
            new = _new_key()
            kept = [{**new, "nbf": now + ahead}]
            for key in json.loads(self._file.read_text())["keys"]:
                key["exp"] = min(key.get("exp", float("inf")), now + ahead + overlap)
                if key["exp"] > now:
                    kept.append(key)
            self._replace(_dump(kept))
        return str(new["kid"])

    def _look(self) -> None:
        facts = self._file.stat()
        if (seen := (facts.st_mtime_ns, facts.st_ino)) == self._seen:
            return
        entries = json.loads(self._file.read_text())["keys"]
        self._keys = {entry["kid"]: OKPKey.import_key(_plain(entry)) for entry in entries}
        self._from = {entry["kid"]: entry["nbf"] for entry in entries if "nbf" in entry}
        self._until = {entry["kid"]: entry["exp"] for entry in entries if "exp" in entry}
        self._seen = seen

    def _replace(self, text: str) -> None:
        handle, draft = tempfile.mkstemp(prefix=f".{_FILE}.", dir=self._file.parent)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._file)  # noqa: PTH105 (mkstemp gives text)


def _new_key() -> dict[str, Any]:
    key = OKPKey.generate_key("Ed25519")
    return {**key.as_dict(private=True), "kid": key.thumbprint()}


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Without `nbf` and `exp`, which are ours and no part of a key."""
    return {name: value for name, value in entry.items() if name not in ("nbf", "exp")}


def _dump(keys: list[dict[str, Any]]) -> str:
    return json.dumps({"keys": keys})
