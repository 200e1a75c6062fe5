"""Values that survive a crash, by owner and key; a value may be larger than one statement."""

import json
from typing import Any

from pyrivet import Actor

from growqr.agents.eventlog import Change

SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    part INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (owner, key, part)
) WITHOUT ROWID;
"""

PART_CHARS = 30_000
"""At four bytes a character a part stays below the 128 KiB that a statement may carry."""


def put(change: Change, owner: str, key: str, value: Any) -> None:
    """Add to `change`: `value` (JSON) is what `owner` keeps under `key` from now on."""
    text = json.dumps(value, ensure_ascii=False)
    change.execute("DELETE FROM journal WHERE owner = ? AND key = ?", owner, key)
    for part, start in enumerate(range(0, len(text), PART_CHARS)):
        change.execute(
            "INSERT INTO journal (owner, key, part, text) VALUES (?, ?, ?, ?)",
            owner,
            key,
            part,
            text[start : start + PART_CHARS],
        )


def drop(change: Change, owner: str) -> None:
    """Add to `change`: forget everything of `owner`."""
    change.execute("DELETE FROM journal WHERE owner = ?", owner)


async def entries(actor: Actor, owner: str) -> dict[str, Any]:
    """Return all that `owner` keeps."""
    rows = await actor.db.query(
        "SELECT key, text FROM journal WHERE owner = ? ORDER BY key, part", owner
    )
    texts: dict[str, str] = {}
    for row in rows:
        texts[row["key"]] = texts.get(row["key"], "") + row["text"]
    return {key: json.loads(text) for key, text in texts.items()}
