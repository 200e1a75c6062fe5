"""One change of memory as one commit."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from growqr.agents.memory import Memory
from growqr.agents.memory_drafts import Draft
from growqr.git.forge import Author, CommitInfo, RepoRef

T = TypeVar("T")


async def drafted(
    memory: Memory,
    repo: RepoRef,
    author: Author,
    make: Callable[[Draft], Awaitable[T]],
    operation: str,
) -> tuple[T, CommitInfo]:
    """Make a draft on the head and commit it; the head's commit if it changes nothing."""
    draft = memory.draft(repo, author, (await memory.context(repo)).head, "msg_1")
    value = await make(draft)
    if not draft.writes:
        return value, (await memory.history(repo, limit=1))[0]
    return value, await memory.commit(draft, draft.writes, operation)
