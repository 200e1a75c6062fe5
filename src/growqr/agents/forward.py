"""How a sub-agent's events reach its Grow Agent: the event log itself is the outbox."""

import asyncio
from typing import Any

import structlog
from pyrivet import ActionError, Actor

from growqr.agents.eventlog import EventLog
from growqr.agents.outbox import FIRST_PAUSE, LONGEST_PAUSE
from growqr.agents.services import AgentServices
from growqr.agents.spec import AgentSpec

MAX_EVENTS = 100
MAX_BYTES = 256 * 1024
"""Of one call's events; one event may be larger alone."""

log = structlog.get_logger(__name__)


class Forwarder:
    """Sends stored events to the parent in order, until it has them all.

    How far it got is kept now and then; what is sent twice the Grow Agent drops by number.
    """

    def __init__(
        self, actor: Actor, services: AgentServices, spec: AgentSpec, event_log: EventLog
    ) -> None:
        self._actor = actor
        self._services = services
        self._spec = spec
        self._event_log = event_log
        self._sent = 0
        self._sending = False

    async def start(self) -> None:
        rows = await self._actor.db.query("SELECT value FROM meta WHERE key = 'forwarded'")
        self._sent = int(rows[0]["value"]) if rows else 0
        self.wake()

    def wake(self) -> None:
        """Send what is new, in the background."""
        if self._spec.parent_id and not self._sending and self._sent < self._event_log.last_seq:
            self._sending = True
            self._actor.spawn(self._send(), name="forward")

    async def _send(self) -> None:
        pause = FIRST_PAUSE
        try:
            while self._sent < self._event_log.last_seq:
                try:
                    await self._send_some()
                    pause = FIRST_PAUSE
                except Exception as error:
                    log.warning(
                        "forward.unanswered",
                        actor_id=self._spec.actor_id,
                        error=type(error).__name__,
                    )
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
            await self._actor.db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('forwarded', ?)", str(self._sent)
            )
        finally:
            self._sending = False
        self.wake()

    async def _send_some(self) -> None:
        events = _bounded(await self._event_log.after(self._sent, MAX_EVENTS))
        parent = self._services.client.get_or_create("grow", [self._spec.parent_id or ""])
        try:
            await parent.call("ingest", self._spec.actor_id, events, retry=True)
        except ActionError as error:
            if error.code != "out_of_order" or not error.metadata:
                raise
            self._sent = int(error.metadata["after"])
            return
        self._sent = int(events[-1]["seq"])


def _bounded(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = 0
    for count, event in enumerate(events):
        size += len(str(event))
        if size > MAX_BYTES and count:
            return events[:count]
    return events
