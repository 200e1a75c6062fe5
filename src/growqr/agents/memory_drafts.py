"""Writing memory: changes that belong together are drafted one by one and committed as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from growqr.agents import front_matter
from growqr.agents.front_matter import one_line, stamped
from growqr.agents.goals import (
    Goal,
    GoalNotFound,
    goal_of,
    goal_text,
    new_goal,
    status_of,
)
from growqr.agents.memory_paths import normalise
from growqr.agents.search_index import document_of
from growqr.errors import NotFound, TooLarge
from growqr.git.capabilities import check_may_write
from growqr.git.forge import Author, BlobNotFound, Change, Forge, RepoRef
from growqr.git.paths import check_path

MAX_CHARS = 100_000
"""Length of one memory."""
_TITLES = 3
"""Changes that a commit's subject names."""


class MemoryNotFound(NotFound):
    """There is no memory of that path."""

    code = "memory_not_found"


class MemoryTooLarge(TooLarge):
    """One memory is longer than MAX_CHARS."""

    code = "memory_too_large"


@dataclass(frozen=True, slots=True)
class Write:
    """The new text of one file (None: it goes), and what the commit says of it."""

    path: str
    text: str | None
    kind: str
    scope: str
    what: str
    why: str = ""


class Draft:
    """Changes on top of `base`, the commit whose files their author has read.

    A later change sees the earlier ones. What may not be written is refused at once; nothing is
    in Git before `Memory.commit`.
    """

    def __init__(
        self, forge: Forge, repo: RepoRef, author: Author, base: str, source: str | None = None
    ) -> None:
        """`source` is the message that causes it all."""
        self.repo = repo
        self.author = author
        self.base = base
        self.source = source
        self.writes: list[Write] = []
        self._forge = forge

    async def remember(self, path: str, content: str, reason: str) -> str:
        """Write one memory; returns its path. What says nothing new changes nothing.

        The path is put under `memory/` unless it begins with a folder that has a meaning. Front
        matter that comes with `content` is kept. Raises PathInvalid, PathForbidden,
        MemoryTooLarge.
        """
        _check_length(content)
        path = self._writable(normalise(path))
        given, body = front_matter.split(content)
        before, old = front_matter.split(await self._text(path) or "")
        meta = {**before, **given}
        # The times in the front matter are no news of their own.
        if not (old and old.strip() == body.strip() and meta == before):
            self.writes.append(
                Write(
                    path,
                    _clean(stamped(meta, body, reason=one_line(reason), source=self.source)),
                    "remember",
                    _scope(path),
                    front_matter.title_of(path, meta, body),
                    reason,
                )
            )
        return path

    async def forget(self, path: str, reason: str) -> str:
        """Remove one memory; returns its path. Raises MemoryNotFound, PathForbidden."""
        path = self._writable(normalise(path))
        if await self._text(path) is None:
            raise MemoryNotFound(f"nothing is remembered under `{path[:200]}`")
        self.writes.append(Write(path, None, "forget", _scope(path), path, reason))
        return path

    async def set_goal(self, title: str, why: str, due: str | None, operation: str) -> Goal:
        """Write a new goal; its id is made from title and operation."""
        _check_length(why)
        goal = new_goal(title, why, due, operation)
        path = self._writable(f"goals/{goal.id}.md")
        text = _clean(goal_text(goal, self.source))
        self.writes.append(Write(path, text, "goal", "goals", goal.title, goal.why))
        return goal

    async def update_goal(self, goal_id: str, status: str) -> Goal:
        """Set a goal's status: open, paused, done or dropped (or a word that means one).

        Raises GoalNotFound, GoalStatusInvalid.
        """
        wanted = status_of(status)
        name = goal_id.removesuffix(".md").removeprefix("goals/")
        path = self._writable(check_path(f"goals/{name}.md"))
        text = await self._text(path)
        if text is None:
            raise GoalNotFound(f"there is no goal `{goal_id[:100]}`")
        old = goal_of(document_of(path, "", len(text), text.encode()))
        if old.status != wanted:
            meta, body = front_matter.split(text)
            new = stamped({**meta, "status": wanted}, body, reason=None, source=self.source)
            what = f"{old.title}: {wanted}"
            self.writes.append(Write(path, _clean(new), "goal", "goals", what))
        return Goal(old.id, old.title, wanted, old.due, old.why)

    def _writable(self, path: str) -> str:
        check_may_write(self.author.id, self.author.capabilities, [path])
        return path

    async def _text(self, path: str) -> str | None:
        for write in reversed(self.writes):
            if write.path == path:
                return write.text
        try:
            data = await self._forge.blob(self.repo, path, ref=self.base)
        except BlobNotFound:
            return None
        return data.decode(errors="replace")


def changes_of(writes: Sequence[Write]) -> list[Change]:
    """The files as they are after all of `writes`."""
    last = {write.path: write for write in writes}
    return [Change(w.path, w.text.encode() if w.text is not None else None) for w in last.values()]


def told(writes: Sequence[Write]) -> dict[str, Any]:
    """Kind, scope, subject and body of the one commit that holds `writes`."""
    if len(writes) == 1:
        (one,) = writes
        return {"kind": one.kind, "scope": one.scope, "what": one.what, "body": one.why}
    kinds, scopes = ({getattr(w, name) for w in writes} for name in ("kind", "scope"))
    named = ", ".join(write.what for write in writes[:_TITLES])
    more = len(writes) - _TITLES
    lines = (f"- {w.kind}({w.scope}): {w.what}" + (f": {w.why}" if w.why else "") for w in writes)
    return {
        "kind": kinds.pop() if len(kinds) == 1 else "memory",
        "scope": scopes.pop() if len(scopes) == 1 else "life",
        "what": f"{named} and {more} more" if more > 0 else named,
        "body": "\n".join(one_line(line) for line in lines),
    }


def _scope(path: str) -> str:
    return path.split("/", 1)[0].removesuffix(".md")


def _clean(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()


def _check_length(content: str) -> None:
    if len(content) > MAX_CHARS:
        raise MemoryTooLarge(f"a memory has at most {MAX_CHARS} characters, not {len(content)}")
