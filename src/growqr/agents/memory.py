"""What an agent remembers: Markdown in the user's repository, one commit per change."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from growqr.agents import front_matter
from growqr.agents.front_matter import one_line, stamped
from growqr.agents.goals import (
    Goal,
    GoalNotFound,
    GoalStatus,
    goal_line,
    goal_of,
    goal_text,
    new_goal,
    status_of,
)
from growqr.agents.memory_index import MAX_FILE_BYTES, Document, Hit, MemoryIndex
from growqr.agents.memory_past import Remains, commit_at, remains
from growqr.agents.search_index import SearchIndex
from growqr.errors import NotFound, TooLarge
from growqr.git.commits import CommitService
from growqr.git.forge import Author, BlobNotFound, Change, CommitInfo, Forge, RepoRef
from growqr.git.layout import FOLDERS, PROFILE
from growqr.git.paths import check_path

MAX_CHARS = 100_000
"""Length of one memory."""
CONTEXT_CHARS = 8_000
"""Length of what every turn is told."""
_PROFILE_CHARS = 3_000
_CONTEXT_GOALS = 20
_CONTEXT_FOLDERS = ("memory/", "plans/", "decisions/")


class MemoryNotFound(NotFound):
    """There is no memory of that path."""

    code = "memory_not_found"


class MemoryTooLarge(TooLarge):
    """One memory is longer than MAX_CHARS."""

    code = "memory_too_large"


class Memory:
    """Reads, writes and searches users' life repositories.

    Writers give an `operation` id; repeating a call with the same one changes nothing more and
    returns the first call's commit. Errors of the commit service pass through.
    """

    def __init__(self, forge: Forge, commits: CommitService, cache: Path | None = None) -> None:
        """`cache` is a folder for search indexes; None keeps them in memory."""
        self._forge = forge
        self._commits = commits
        self._index = MemoryIndex(forge, cache)

    async def files(self, repo: RepoRef) -> list[Document]:
        """Every Markdown file at the head, by path, without the bodies."""
        index = await self._index.now(repo)
        return await asyncio.to_thread(index.listing)

    async def read(self, repo: RepoRef, path: str, at: datetime | None = None) -> Document:
        """One file, under the path it was remembered with; `at`: as it was then.

        Raises MemoryNotFound, and TooEarly for a time before the first commit.
        """
        index = await self._at(repo, at)
        document = await asyncio.to_thread(index.get, path)
        document = document or await asyncio.to_thread(index.get, normalise(path))
        if document is None:
            raise MemoryNotFound(f"nothing is remembered under `{path[:200]}`")
        if document.size > MAX_FILE_BYTES:
            head = await asyncio.to_thread(index.head)
            data = await self._forge.blob(repo, document.path, ref=head or "main")
            document = replace(document, body=front_matter.split(data.decode(errors="replace"))[1])
        return document

    async def search(
        self, repo: RepoRef, query: str, limit: int = 10, at: datetime | None = None
    ) -> list[Hit]:
        """What matches `query`, best first; `at`: among what was remembered then.

        Raises TooEarly for a time before the first commit.
        """
        index = await self._at(repo, at)
        return await asyncio.to_thread(index.search, query, limit)

    recall = search

    async def remember(
        self,
        repo: RepoRef,
        author: Author,
        path: str,
        content: str,
        reason: str,
        operation: str,
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> CommitInfo:
        """Write one memory; the same content again returns the head.

        `path` is put under `memory/` unless it begins with a folder that has a meaning.
        Front matter that comes with `content` is kept.
        """
        _check_length(content)
        path = normalise(path)
        given, body = front_matter.split(content)
        old = await self._existing(repo, path)
        meta = {**old[0], **given}
        # What says nothing new is no change, so the front matter's times must not make one.
        same = bool(old[1]) and old[1].strip() == body.strip() and meta == old[0]
        text = stamped(meta, body, reason=one_line(reason), source=message_id)
        return await self._commits.commit(
            repo,
            actor=author,
            kind="remember",
            scope=path.split("/", 1)[0].removesuffix(".md"),
            what=front_matter.title_of(path, meta, body),
            body=reason,
            changes=[] if same else [_write(path, text)],
            operation=operation,
            task_id=task_id,
            message_id=message_id,
        )

    async def forget(
        self,
        repo: RepoRef,
        author: Author,
        path: str,
        reason: str,
        operation: str,
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> CommitInfo:
        """Delete one memory; `remains` tells what history keeps of it. Raises MemoryNotFound."""
        path = normalise(path)
        made = await self._commits.commit(
            repo,
            actor=author,
            kind="forget",
            scope=path.split("/", 1)[0].removesuffix(".md"),
            what=path,
            body=reason,
            changes=[Change(path, None)],
            operation=operation,
            task_id=task_id,
            message_id=message_id,
        )
        # No commit, not even an earlier one of this operation: there was nothing to forget.
        if made.trailers.get("Operation") != operation:
            raise MemoryNotFound(f"nothing is remembered under `{path[:200]}`")
        return made

    async def history(
        self,
        repo: RepoRef,
        path: str | None = None,
        *,
        limit: int = 50,
        after: str | None = None,
    ) -> list[CommitInfo]:
        """Commits that changed memory (or one file of it), newest first."""
        return await self._forge.commits(repo, path=path, limit=limit, after=after)

    async def revert(
        self,
        repo: RepoRef,
        author: Author,
        sha: str,
        operation: str,
        message_id: str | None = None,
    ) -> CommitInfo:
        """Undo one commit by a new one. Raises CommitNotFound, NotUndoable, MergeConflict."""
        return await self._commits.revert(
            repo, sha, actor=author, operation=operation, message_id=message_id
        )

    async def goals(self, repo: RepoRef, status: GoalStatus | None = None) -> list[Goal]:
        """Goals by age of their files' names, those of one status if given."""
        index = await self._index.now(repo)
        found = [goal_of(document) for document in await asyncio.to_thread(index.below, "goals/")]
        return [goal for goal in found if status is None or goal.status == status]

    async def set_goal(
        self,
        repo: RepoRef,
        author: Author,
        title: str,
        why: str,
        due: str | None,
        operation: str,
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> tuple[Goal, CommitInfo]:
        """Write a new goal; its id is made from title and operation."""
        _check_length(why)
        goal = new_goal(title, why, due, operation)
        made = await self._commits.commit(
            repo,
            actor=author,
            kind="goal",
            scope="goals",
            what=goal.title,
            body=goal.why,
            changes=[_write(f"goals/{goal.id}.md", goal_text(goal, message_id))],
            operation=operation,
            task_id=task_id,
            message_id=message_id,
        )
        return goal, made

    async def update_goal(
        self,
        repo: RepoRef,
        author: Author,
        goal_id: str,
        status: str,
        operation: str,
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> tuple[Goal, CommitInfo]:
        """Set a goal's status: open, paused, done or dropped (or a word that means one).

        Raises:
            GoalNotFound, GoalStatusInvalid: nothing was written.
        """
        wanted = status_of(status)
        path = check_path(f"goals/{goal_id.removesuffix('.md').removeprefix('goals/')}.md")
        document = await asyncio.to_thread((await self._index.now(repo)).get, path)
        if document is None:
            raise GoalNotFound(f"there is no goal `{goal_id[:100]}`")
        old = goal_of(document)
        goal = Goal(old.id, old.title, wanted, old.due, old.why)
        meta = {**document.meta, "status": wanted}
        text = stamped(meta, document.body, reason=None, source=message_id)
        made = await self._commits.commit(
            repo,
            actor=author,
            kind="goal",
            scope="goals",
            what=f"{goal.title}: {wanted}",
            changes=[_write(path, text)] if old.status != wanted else [],
            operation=operation,
            task_id=task_id,
            message_id=message_id,
        )
        return goal, made

    async def context(self, repo: RepoRef) -> str:
        """What every turn is told: profile, open goals, titles of memories; bounded.

        Memories that were written last come first; what has no room is found by search.
        """
        index = await self._index.now(repo)
        profile = await asyncio.to_thread(index.get, PROFILE)
        goals = (await self.goals(repo, "open"))[:_CONTEXT_GOALS]
        parts = []
        if profile is not None:
            parts.append(f"## Profile\n{profile.body.strip()[:_PROFILE_CHARS]}")
        if goals:
            parts.append("## Open goals\n" + "\n".join(goal_line(goal) for goal in goals))
        listed = await asyncio.to_thread(index.listing)
        memories = [d for d in listed if d.path.startswith(_CONTEXT_FOLDERS)]
        memories.sort(key=lambda d: str(d.meta.get("updated", "")), reverse=True)
        text = "\n\n".join(parts)
        return text + _titles(memories, CONTEXT_CHARS - len(text))

    async def remains(self, repo: RepoRef, path: str) -> Remains:
        """What Git's history still holds of a file, whether it is there now or not."""
        return await remains(self._forge, repo, normalise(path))

    async def _at(self, repo: RepoRef, when: datetime | None) -> SearchIndex:
        if when is None:
            return await self._index.now(repo)
        return await self._index.at(repo, (await commit_at(self._forge, repo, when)).sha)

    async def _existing(self, repo: RepoRef, path: str) -> tuple[dict[str, Any], str]:
        try:
            data = await self._forge.blob(repo, path)
        except BlobNotFound:
            return {}, ""
        return front_matter.split(data.decode(errors="replace"))


def normalise(path: str) -> str:
    """Where a memory of this name is kept: `tea` → `memory/tea.md`, `goals/x` → `goals/x.md`.

    Raises PathInvalid.
    """
    names = [re.sub(r"\s+", "-", name.strip()) for name in path.split("/")]
    names = [name for name in names if name and name != "."]
    if names == ["profile"] or names == [PROFILE]:
        return PROFILE
    if names and (len(names) == 1 or names[0] not in FOLDERS):
        names = ["memory", *names]
    name = "/".join(names)
    return check_path(name if not name or name.endswith(".md") else f"{name}.md")


def _titles(memories: Sequence[Document], room: int) -> str:
    """The titles that have room, and how many have not."""
    head, tail = "\n\n## Memories (recall to read them)\n", "\n… and {} more: recall finds them"
    room -= len(head) + len(tail) + 8
    lines: list[str] = []
    for document in memories:
        line = f"- {document.path}: {document.title}\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    if not lines:
        return ""
    left = len(memories) - len(lines)
    return (head + "".join(lines)).rstrip() + (tail.format(left) if left else "")


def _write(path: str, text: str) -> Change:
    return Change(path, text.replace("\0", "").encode(errors="replace"))


def _check_length(content: str) -> None:
    if len(content) > MAX_CHARS:
        raise MemoryTooLarge(f"a memory has at most {MAX_CHARS} characters, not {len(content)}")
