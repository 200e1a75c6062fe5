"""Calls to other agents that survive a crash: written with the change that caused them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from pyrivet import ActionError, Actor

from growqr.agents.eventlog import Change
from growqr.agents.services import AgentServices

SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    action TEXT NOT NULL,
    args TEXT NOT NULL
);
"""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
TRANSIENT = frozenset({"internal_error", "action_timed_out", "overloaded"})
"""Refusals that say nothing about the call itself."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Letter:
    """One call that waits for its acknowledgement."""

    id: int
    name: str
    actor_id: str
    action: str
    args: list[Any]


class Outbox:
    """Delivers calls in order, each at least once; the called actions must bear repeats.

    A target that does not answer is tried again until it does, with growing pauses. A target
    that refuses ends the matter: `refused` hears of it and the letter is dropped.
    """

    def __init__(
        self,
        actor: Actor,
        services: AgentServices,
        refused: Callable[[Letter, ActionError], Awaitable[None]],
    ) -> None:
        self._actor = actor
        self._services = services
        self._refused = refused
        self._delivering = False
        self._more = False

    def put(self, change: Change, name: str, actor_id: str, action: str, *args: Any) -> None:
        """Write a call into `change`; it is made once that is committed."""
        change.execute(
            "INSERT INTO outbox (name, actor_id, action, args) VALUES (?, ?, ?, ?)",
            name,
            actor_id,
            action,
            json.dumps(args, ensure_ascii=False),
        )
        change.then(self.wake)

    def wake(self) -> None:
        """Deliver what waits, in the background."""
        self._more = True
        if not self._delivering:
            self._delivering = True
            self._actor.spawn(self._deliver(), name="outbox")

    async def _deliver(self) -> None:
        pause = FIRST_PAUSE
        try:
            while letters := await self._waiting():
                if await self._deliver_all(letters):
                    pause = FIRST_PAUSE
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            self._delivering = False

    async def _waiting(self) -> list[Letter]:
        self._more = False
        rows = await self._actor.db.query(
            "SELECT id, name, actor_id, action, args FROM outbox ORDER BY id LIMIT 100"
        )
        if not rows and self._more:  # something was put while we looked
            return await self._waiting()
        return [Letter(**{**row, "args": json.loads(row["args"])}) for row in rows]

    async def _deliver_all(self, letters: list[Letter]) -> bool:
        """Return whether anything went out; a silent target holds up only its own letters."""
        silent: set[str] = set()
        for letter in letters:
            if letter.actor_id in silent:
                continue
            try:
                await self._deliver_one(letter)
            except ActionError as error:
                if error.code in TRANSIENT:
                    silent.add(letter.actor_id)
                    continue
                log.warning(
                    "outbox.refused",
                    actor_id=letter.actor_id,
                    action=letter.action,
                    code=error.code,
                )
                await self._refused(letter, error)
            except Exception as error:
                silent.add(letter.actor_id)
                log.warning(
                    "outbox.unanswered",
                    actor_id=letter.actor_id,
                    action=letter.action,
                    error=type(error).__name__,
                )
                continue
            await self._actor.db.execute("DELETE FROM outbox WHERE id = ?", letter.id)
        return len(silent) < len({letter.actor_id for letter in letters})

    async def _deliver_one(self, letter: Letter) -> None:
        handle = self._services.client.get_or_create(letter.name, [letter.actor_id])
        await handle.call(letter.action, *letter.args, retry=True)
