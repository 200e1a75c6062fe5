"""The one form of every commit message of ours.

For example:

remember(memory): likes tea

Why, in the writer's words.

Actor: act_01…
Kind: remember
Task: tsk_01…
Message: msg_01…
Operation: msg_01…:2
Growqr-Schema: 1
"""

import re

from growqr.errors import InvalidInput

SCHEMA = "1"
MAX_SUBJECT_CHARS = 120
MAX_BODY_CHARS = 4_000
MAX_VALUE_CHARS = 200
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")


class MessageInvalid(InvalidInput):
    """A part of a commit's message can't be written as it must be."""

    code = "commit_message_invalid"
    title = "The commit message is not valid"


def commit_message(
    kind: str,
    scope: str,
    what: str,
    body: str,
    actor_id: str,
    operation: str,
    task_id: str | None,
    message_id: str | None,
) -> str:
    """The message with its trailers. Raises MessageInvalid."""
    if not _KIND.match(kind):
        raise MessageInvalid(f"`{kind[:40]}` is not a kind: lower-case letters, digits, hyphens")
    scope = re.sub(r"[()\s]+", " ", _printable(scope)).strip()
    what = " ".join(_printable(what).split())
    if not scope or not what:
        raise MessageInvalid("scope and subject must not be empty")
    subject = f"{kind}({scope[:40]}): {what}"
    if len(subject) > MAX_SUBJECT_CHARS:
        subject = subject[: MAX_SUBJECT_CHARS - 1] + "…"
    trailers = {
        "Actor": actor_id,
        "Kind": kind,
        "Task": task_id,
        "Message": message_id,
        "Operation": operation,
        "Growqr-Schema": SCHEMA,
    }
    lines = [f"{name}: {value_of(name, value)}" for name, value in trailers.items() if value]
    return "\n\n".join(part for part in (subject, _body(body), "\n".join(lines)) if part) + "\n"


def _body(text: str) -> str:
    # `git interpret-trailers` ends a message at a line that begins with three hyphens.
    lines = (_printable(line).rstrip() for line in text[:MAX_BODY_CHARS].splitlines())
    return "\n".join(f" {line}" if line.startswith("---") else line for line in lines).strip("\n")


def value_of(name: str, value: str) -> str:
    """A trailer's value: one line, so that no text can add a trailer of its own."""
    clean = " ".join(_printable(value).split())
    if not clean or len(clean) > MAX_VALUE_CHARS:
        raise MessageInvalid(f"{name} must have 1 to {MAX_VALUE_CHARS} characters")
    return clean


def _printable(text: str) -> str:
    spaced = "".join(c if c.isprintable() else " " for c in text)
    return spaced.encode(errors="replace").decode()
