"""The messages of one agent's channel: stored once, answered once."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from pyrivet import Actor

from growqr.agents.eventlog import Change
from growqr.events import ChannelMessage, now

# The second index is the promise of one answer: a repeat can't be written.
SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    idempotency_key TEXT UNIQUE,
    in_reply_to TEXT,
    json TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS messages_by_seq ON messages (seq);
CREATE UNIQUE INDEX IF NOT EXISTS one_answer ON messages (in_reply_to)
    WHERE in_reply_to IS NOT NULL;
CREATE TABLE IF NOT EXISTS inbox (
    message_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
"""

MAX_STORED_BYTES = 60_000
"""Bytes of text in one stored message. The engine takes 128 KiB of parameters in a statement,
and JSON may double each byte."""


class PostMessage(BaseModel):
    """What a user sends to a channel."""

    text: str
    message_id: str | None = Field(None, max_length=64)
    idempotency_key: str | None = Field(None, max_length=255)
    answers: str | None = Field(None, max_length=64)
    """Id of the question that this is the answer to; None: the oldest open one, if any."""


class Notice(BaseModel):
    """What the platform tells a user about their plan."""

    message_id: str = Field(max_length=64)
    text: str
    billing: dict[str, Any]


def printable(text: str) -> str:
    """Drop control characters other than newline and tab; JSON would blow each up to six."""
    return "".join(c for c in text if c >= " " or c in "\n\t")


def cut(text: str, max_bytes: int = MAX_STORED_BYTES) -> str:
    """Return `text`, or its beginning and a line that says it was cut."""
    text = printable(text)
    raw = text.encode(errors="replace")
    if len(raw) <= max_bytes:
        return raw.decode()
    return raw[:max_bytes].decode(errors="ignore") + "\n… (cut: too long)"


def store(
    change: Change,
    *,
    message_id: str,
    role: Literal["user", "agent", "system"],
    author: str,
    text: str,
    in_reply_to: str | None = None,
    metadata: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
    at: datetime | None = None,
) -> ChannelMessage:
    """Add a message and its event to `change`; `at` None means now."""
    message = ChannelMessage(
        id=message_id,
        seq=change.next_seq,
        role=role,
        author=author,
        text=text,
        in_reply_to=in_reply_to,
        at=at or now(),
        metadata=metadata or {},
    )
    data = message.model_dump(mode="json", exclude={"id", "seq", "at"})
    change.emit(
        "message.created" if role == "user" else "message.completed",
        {"message_id": message_id, **data},
        at=message.at,
        task_id=message.metadata.get("task_id"),
    )
    change.execute(
        "INSERT INTO messages (id, seq, idempotency_key, in_reply_to, json) VALUES (?, ?, ?, ?, ?)",
        message.id,
        message.seq,
        idempotency_key,
        in_reply_to,
        message.model_dump_json(),
    )
    return message


async def find(actor: Actor, message_id: str, key: str | None) -> ChannelMessage | None:
    """Return the message with this id or idempotency key."""
    rows = await actor.db.query(
        "SELECT json FROM messages WHERE id = ? OR idempotency_key = ?", message_id, key
    )
    return ChannelMessage.model_validate_json(rows[0]["json"]) if rows else None


async def page(actor: Actor, before: int | None, limit: int) -> list[ChannelMessage]:
    """Return the newest `limit` messages with a lower `seq` than `before`, oldest first."""
    rows = await actor.db.query(
        "SELECT json FROM messages WHERE seq < ? ORDER BY seq DESC LIMIT ?",
        before if before is not None else 2**62,
        limit,
    )
    return [ChannelMessage.model_validate_json(row["json"]) for row in reversed(rows)]
