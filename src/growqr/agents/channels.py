"""How the user's channels stand: status, unread messages, last message."""

from typing import Any

from pyrivet import Actor

from growqr.agents.eventlog import Change
from growqr.events import Event

SCHEMA = """
CREATE TABLE IF NOT EXISTS channels (
    channel_id TEXT PRIMARY KEY,
    actor_id TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'idle',
    unread INTEGER NOT NULL DEFAULT 0,
    last_message_at TEXT
);
"""


def add(change: Change, channel_id: str, actor_id: str) -> None:
    """Add to `change`: there is such a channel."""
    change.execute(
        "INSERT OR IGNORE INTO channels (channel_id, actor_id) VALUES (?, ?)", channel_id, actor_id
    )


def follow(change: Change, event: Event) -> None:
    """Add to `change` what `event` means for its channel."""
    if event.type in ("message.created", "message.completed"):
        change.execute(
            "UPDATE channels SET unread = unread + ?, last_message_at = ? WHERE channel_id = ?",
            int(event.data.get("role") != "user"),
            event.at.isoformat(),
            event.channel_id,
        )
    elif event.type == "agent.status":
        change.execute(
            "UPDATE channels SET status = ? WHERE channel_id = ?",
            str(event.data.get("status", "idle")),
            event.channel_id,
        )


def read(change: Change, channel_id: str) -> None:
    """Add to `change`: the user has seen all of the channel."""
    change.execute("UPDATE channels SET unread = 0 WHERE channel_id = ?", channel_id)


async def rows(actor: Actor) -> list[dict[str, Any]]:
    """Return every channel: `channel_id, actor_id, status, unread, last_message_at`."""
    return await actor.db.query("SELECT * FROM channels")
