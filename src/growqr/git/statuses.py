"""What is said of a commit beside it: whether the work that made it went well.

A status is no part of history: it may change, and who reads the commit need not have it. Gitea
keeps them itself; the embedded forge as a note in the repository (`growqr.git.status_notes`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from growqr.errors import InvalidInput

State = Literal["pending", "success", "failure", "error"]

STATES: tuple[State, ...] = ("error", "failure", "pending", "success")
"""The worst first."""
MAX_CONTEXTS = 50
"""Statuses of one commit that are kept, and read."""
MAX_DESCRIPTION_CHARS = 200
MAX_URL_CHARS = 500
_CONTEXT = re.compile(r"[a-z0-9][a-z0-9._/-]{0,63}\Z")
_URL = re.compile(r"https?://[!-~]+\Z")


class StatusInvalid(InvalidInput):
    """A part of a commit's status can't be kept as it is."""

    code = "status_invalid"
    title = "The status is not valid"


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What `context` says of a commit; what it said before counts no more."""

    context: str
    """Who says it, e.g. `growqr/task`."""
    state: State
    description: str
    """In a few words, on one line."""
    target_url: str | None = None
    """Where to read more."""
    at: datetime = field(default_factory=_now, compare=False)


def check_status(status: CommitStatus) -> None:
    """Raises StatusInvalid, with the reason in words."""
    if not _CONTEXT.match(status.context):
        raise StatusInvalid("a context has 1 to 64 of a-z, 0-9 and . _ / -")
    if status.state not in STATES:
        raise StatusInvalid(f"a state is one of {', '.join(STATES)}")
    if len(status.description) > MAX_DESCRIPTION_CHARS or not status.description.isprintable():
        raise StatusInvalid(f"a description is one line of at most {MAX_DESCRIPTION_CHARS}")
    url = status.target_url
    if url is not None and (len(url) > MAX_URL_CHARS or not _URL.match(url)):
        raise StatusInvalid(f"a target is an http address of at most {MAX_URL_CHARS} characters")


def overall(statuses: Collection[CommitStatus]) -> State | None:
    """The worst of them; None: nobody has said anything."""
    said = {status.state for status in statuses}
    return next((state for state in STATES if state in said), None)
