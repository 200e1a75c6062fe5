"""What an agent remembers: Markdown in the user's repository, one commit per change."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from growqr.agents import front_matter
from growqr.agents.goals import Goal, GoalStatus, goal_line, goal_of
from growqr.agents.memory_drafts import Draft, MemoryNotFound, Write, changes_of, told
from growqr.agents.memory_index import MAX_FILE_BYTES, Document, Hit, MemoryIndex
from growqr.agents.memory_past import Remains, commit_at, remains
from growqr.agents.memory_paths import normalise
from growqr.agents.search_index import SearchIndex
from growqr.git.commits import CommitService
from growqr.git.forge import Author, CommitInfo, Forge, RepoRef
from growqr.git.layout import PROFILE

CONTEXT_CHARS = 8_000
"""Length of what every turn is told."""
_PROFILE_CHARS = 3_000
_CONTEXT_GOALS = 20
_CONTEXT_FOLDERS = ("memory/", "plans/", "decisions/")
_CONTEXT_TITLES = 1_000
"""More than have room."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a turn is told, and the commit that it was read at."""

    text: str
    head: str


class Memory:
    """Reads, writes and searches users' life repositories.

    Writers give an `operation` id; repeating `commit` with the same one changes nothing more and
    returns the first call's commit. Errors of the commit service pass through.
    """

    def __init__(self, forge: Forge, commits: CommitService, cache: Path | None = None) -> None:
        """`cache` is a folder for search indexes; None keeps them in memory."""
        self._forge = forge
        self._commits = commits
        self._index = MemoryIndex(forge, cache)

    async def files(self, repo: RepoRef, at: datetime | None = None) -> list[Document]:
        """Every Markdown file, by path, without the bodies; `at`: as they were then.

        Raises TooEarly for a time before the first commit.
        """
        index = await self._at(repo, at)
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

    def draft(self, repo: RepoRef, author: Author, base: str, source: str | None = None) -> Draft:
        """Begin changes on what was read at `base`; `commit` writes them."""
        return Draft(self._forge, repo, author, base, source)

    async def commit(self, draft: Draft, writes: Sequence[Write], operation: str) -> CommitInfo:
        """Write some of a draft's changes as one commit; the head if they change nothing.

        Raises:
            MergeConflict: the user has changed the same lines since the draft's base.
        """
        return await self._commits.commit(
            draft.repo,
            actor=draft.author,
            changes=changes_of(writes),
            operation=operation,
            message_id=draft.source,
            base=draft.base,
            **told(writes),
        )

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

    async def context(self, repo: RepoRef) -> Context:
        """What every turn is told: profile, open goals, titles of memories; bounded.

        Memories that were written last come first; what has no room is found by search.
        """
        index = await self._index.now(repo)
        head = await asyncio.to_thread(index.head)
        assert head is not None
        profile = await asyncio.to_thread(index.get, PROFILE)
        goals = (await self.goals(repo, "open"))[:_CONTEXT_GOALS]
        parts = []
        if profile is not None:
            parts.append(f"## Profile\n{profile.body.strip()[:_PROFILE_CHARS]}")
        if goals:
            parts.append("## Open goals\n" + "\n".join(goal_line(goal) for goal in goals))
        memories, count = await asyncio.to_thread(index.newest, _CONTEXT_FOLDERS, _CONTEXT_TITLES)
        text = "\n\n".join(parts)
        return Context(text + _titles(memories, count, CONTEXT_CHARS - len(text)), head)

    async def remains(self, repo: RepoRef, path: str) -> Remains:
        """What Git's history still holds of a file, whether it is there now or not."""
        return await remains(self._forge, repo, normalise(path))

    async def erase(self, repo: RepoRef) -> None:
        """Keep nothing on this disk of a repository that is removed."""
        await self._index.erase(repo)

    async def _at(self, repo: RepoRef, when: datetime | None) -> SearchIndex:
        if when is None:
            return await self._index.now(repo)
        return await self._index.at(repo, (await commit_at(self._forge, repo, when)).sha)


def _titles(memories: Sequence[tuple[str, str]], count: int, room: int) -> str:
    """The titles that have room, and how many have not."""
    head, tail = "\n\n## Memories (recall to read them)\n", "\n… and {} more: recall finds them"
    room -= len(head) + len(tail) + 8
    lines: list[str] = []
    for path, title in memories:
        line = f"- {path}: {title}\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    if not lines:
        return ""
    left = count - len(lines)
    return (head + "".join(lines)).rstrip() + (tail.format(left) if left else "")
