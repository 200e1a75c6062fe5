"""What a turn writes into memory: drafted call by call, committed together.

Drafts are journaled with the results of the tools that made them, so they outlive a crash. They
are committed before memory is searched and before the turn ends, so that a reply never tells of
something that is not in Git.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from growqr.agents import journal
from growqr.agents.conflicts import settling_task
from growqr.agents.memory_drafts import Draft, Write
from growqr.agents.turn import recorded_results
from growqr.git.forge import CommitInfo, MergeConflict

if TYPE_CHECKING:
    from growqr.agents.grow import GrowAgent
    from growqr.events import ChannelMessage, Task

_KEY = "memory"
MOST = 100
"""Changes that are drafted before they are committed."""


class TurnMemory:
    """The drafts of one turn. `base` is the commit that its context was read at."""

    def __init__(
        self, grow: GrowAgent, message: ChannelMessage, base: str, saved: dict[str, Any]
    ) -> None:
        state = saved.get(_KEY) or {}
        self.draft: Draft = grow.services.memory.draft(
            grow.spec.repo, grow.author, state.get("base", base), source=message.id
        )
        self.unsettled: list[str] = list(state.get("unsettled", ()))
        """Paths for which the user has to decide."""
        self._grow = grow
        self._message = message
        self.written = int(state.get("written", 0))
        """How many of the changes are committed."""
        kept = [result.get("drafted") for result in recorded_results(saved)]
        for part in sorted((part for part in kept if part), key=lambda part: part["first"]):
            self.draft.writes += [Write(**fields) for fields in part["writes"]]
            if self.drafted > self.written:
                self.draft.base = part["base"]

    @property
    def drafted(self) -> int:
        """How many changes the turn has made."""
        return len(self.draft.writes)

    def since(self, drafted: int) -> dict[str, Any]:
        """Return what the journal has to keep of the changes after the first `drafted`."""
        new = [asdict(write) for write in self.draft.writes[drafted:]]
        return {"first": drafted, "base": self.draft.base, "writes": new} if new else {}

    async def commit(self) -> None:
        """Commit what is drafted; what conflicts with the user's own becomes a task that asks.

        Afterwards the present is what the turn has read. Repeating it commits nothing twice.
        """
        writes = self.draft.writes[self.written :]
        made: CommitInfo | None = None
        task: Task | None = None
        if writes:
            text = json.dumps([asdict(write) for write in writes])
            digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
            operation = f"{self._message.id}:memory:{digest}"
            try:
                made = await self._grow.services.memory.commit(self.draft, writes, operation)
                if made.trailers.get("Operation") != operation:
                    made = None  # all of it was there already
            except MergeConflict as conflict:
                request = settling_task(conflict, operation, self._grow.spec, self._message.id)
                task = self._grow.planned(request)
                self.unsettled += conflict.paths
        head = await self._grow.services.forge.head(self.draft.repo)
        self.draft.base = head or self.draft.base
        if not writes:
            return
        self.written = self.drafted
        state = {
            "written": self.written,
            "base": self.draft.base,
            "unsettled": self.unsettled,
        }
        async with self._grow.event_log.change() as change:
            journal.put(change, self._message.id, _KEY, state)
            if made is not None:
                data = {"sha": made.sha, "paths": list(made.paths), "subject": made.subject}
                change.emit("memory.committed", data)
            if task is not None:
                self._grow.add_task(change, task)

    def remark(self) -> str:
        """Return what a reply has to add about changes that wait for the user."""
        if not self.unsettled:
            return ""
        listed = ", ".join(f"`{path}`" for path in dict.fromkeys(self.unsettled))
        return (
            f"\n\nYou changed {listed} while I was writing there too. Your version is in place; I "
            "ask you in #repo which one shall stay."
        )
