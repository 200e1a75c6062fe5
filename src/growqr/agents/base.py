"""What all agents are: actors with a channel, a numbered event log and an outbox."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from pyrivet import ActionError, Actor, DatabaseError, action

from growqr.agents import eventlog, messages, outbox
from growqr.agents.eventlog import Change, EventLog
from growqr.agents.messages import Notice, PostMessage
from growqr.agents.outbox import Letter, Outbox
from growqr.agents.services import AgentServices
from growqr.agents.spec import AgentSpec, load_spec
from growqr.errors import GrowError, NotFound
from growqr.events import ChannelMessage, Event
from growqr.identity.tokens import TokenInvalid
from growqr.ids import derived_id, new_id

AgentStatus = Literal["idle", "working", "stopped"]

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    + eventlog.SCHEMA
    + messages.SCHEMA
    + outbox.SCHEMA
)

MAX_ATTEMPTS = 5
"""Times that one message is tried before the agent answers that it could not."""
MAX_WAITING = 200
"""Messages that may wait for an agent."""
LONGEST_WAIT = 20.0
"""Seconds between two tries, at most."""

log = structlog.get_logger(__name__)


class AgentActor(Actor):
    """An agent. Subclasses say in `on_message` what a user's message does.

    State lives in the actor's SQLite; `load` reads the small copy that is kept in memory. All
    writes go through `self.event_log.change()`, so a change and its events are one transaction.
    """

    schema: str = SCHEMA
    spec: AgentSpec

    def __init__(self, services: AgentServices) -> None:
        super().__init__()
        self.services = services
        self.gone = False
        """The registry knows no such agent: its user has left."""
        self._lived = True
        self.running = True
        self.status: AgentStatus = "idle"
        self.inbox: dict[str, ChannelMessage] = {}
        """Messages that still need handling, oldest first."""
        self.recovered: set[str] = set()
        """Messages that have been tried before, or may have been."""
        self._attempts: dict[str, int] = {}
        self._handling = False

    # Life

    async def authorize(self, params: Mapping[str, Any]) -> None:
        try:
            self.services.tokens.check_caller(str(params.get("token", "")))
        except TokenInvalid:
            message = "This agent takes calls from the platform only."
            raise ActionError("unauthorized", message) from None
        if self.gone:
            # Whoever still follows an agent that was removed makes it anew by that. One that has
            # lived is kept: perhaps the registry is lost, and will be back.
            if not self._lived:
                self.destroy()
            raise ActionError("not_found", "There is no such agent any more.")

    async def on_start(self) -> None:
        try:
            async with self.services.db.session() as session:
                self.spec = await load_spec(session, self.key[0])
        except NotFound:  # to fail would make the engine try again and again
            self.gone = True
            self._lived = bool(
                await self.db.query("SELECT 1 FROM sqlite_master WHERE name = 'events'")
            )
            log.warning("agent.not_registered", actor_id=self.key[0])
            return
        self.event_log = EventLog(
            self,
            actor_id=self.spec.actor_id,
            channel_id=self.spec.channel_id,
            reload=self.load,
            before_commit=self.before_commit,
            heard=self.heard,
        )
        self.outbox = Outbox(self, self.services, self.refused)
        await self.db.script(self.schema)
        await self.load()
        await self.begin()
        self.outbox.wake()
        self._wake()

    async def load(self) -> None:
        """Read the copy in memory anew. Extend it; it may run many times."""
        await self.event_log.load()
        meta = {row["key"]: row["value"] for row in await self.db.query("SELECT * FROM meta")}
        self.running = meta.get("running", "1") == "1"
        self.status = "idle" if self.running else "stopped"
        rows = await self.db.query(
            "SELECT m.json, i.attempts FROM inbox i JOIN messages m ON m.id = i.message_id"
            " ORDER BY i.seq"
        )
        waiting = [(ChannelMessage.model_validate_json(r["json"]), r["attempts"]) for r in rows]
        self.inbox = {message.id: message for message, _ in waiting}
        self.recovered = set(self.inbox)
        self._attempts = {message.id: attempts for message, attempts in waiting}
        if self.inbox and self.running:
            self.status = "working"

    async def begin(self) -> None:
        """Hook: runs at each start, after `load` and before any work goes on."""

    def before_commit(self, change: Change) -> None:
        """Hook: add what follows from the events in `change`."""

    def heard(self, events: list[Event]) -> None:
        """Hook: these events have been written and broadcast."""

    async def refused(self, letter: Letter, error: ActionError) -> None:
        """Hook: another agent refused a call for good."""

    # What a message does

    @abstractmethod
    async def on_message(self, message: ChannelMessage) -> None:
        """Do what a user's message asks, one message at a time, oldest first.

        It may run again for the same message after a crash or an error, so its effects must
        bear that. Answer with `reply`, now or later; a message that is not answered here is
        taken as handled when this returns.
        """

    async def reply(
        self,
        message: ChannelMessage,
        text: str,
        *,
        role: Literal["agent", "system"] = "agent",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Answer `message` and end its handling, in one transaction.

        Safe to repeat: the second answer to a message is dropped.
        """
        try:
            async with self.event_log.change() as change:
                self.put_reply(change, message.id, text, role=role, metadata=metadata)
        except DatabaseError:
            if not await self.answered(message.id):
                raise
            await self._handled(message)

    async def answered(self, message_id: str) -> bool:
        """Whether a user's message has its answer."""
        sql = "SELECT 1 FROM messages WHERE in_reply_to = ?"
        return bool(await self.db.query(sql, message_id))

    def reply_id(self, message_id: str) -> str:
        """Return the id of the one answer to a message."""
        return derived_id("msg", message_id, "reply")

    def say(
        self,
        change: Change,
        text: str,
        *,
        message_id: str,
        author: str | None = None,
        role: Literal["agent", "system"] = "agent",
        metadata: dict[str, Any] | None = None,
    ) -> ChannelMessage:
        """Add to `change` a message that answers nobody."""
        return messages.store(
            change,
            message_id=message_id,
            role=role,
            author=author or self.spec.name,
            text=messages.cut(text),
            metadata=metadata,
        )

    def note_status(self, change: Change, status: AgentStatus, reason: str | None = None) -> None:
        """Add `agent.status` to `change` if it is news."""
        if not self.running:
            status = "stopped"
        if status == self.status:
            return
        change.emit("agent.status", {"status": status, "name": self.spec.name, "reason": reason})
        change.then(lambda: setattr(self, "status", status))

    def busy(self, without: str | None = None) -> bool:
        """Whether there is work, not counting the message or task `without`."""
        return any(message_id != without for message_id in self.inbox)

    # Actions

    @action
    async def post_message(self, message: PostMessage) -> dict[str, Any]:
        """Take a user's message; returns when it is durable. A repeat gets the same answer."""
        text = messages.printable(message.text).strip()
        self._check(text)
        message_id = message.message_id or new_id("msg")
        try:
            async with self.event_log.change() as change:
                stored = messages.store(
                    change,
                    message_id=message_id,
                    role="user",
                    author=self.spec.user_name,
                    text=text,
                    metadata={"answers": message.answers} if message.answers else None,
                    idempotency_key=message.idempotency_key,
                )
                change.execute(
                    "INSERT INTO inbox (message_id, seq) VALUES (?, ?)", stored.id, stored.seq
                )
                self.note_status(change, "working")
                change.then(lambda: self.inbox.__setitem__(stored.id, stored))
        except DatabaseError:
            known = await messages.find(self, message_id, message.idempotency_key)
            if known is None:
                raise
            if known.text != text or known.role != "user":
                raise ActionError(
                    "conflict", "This idempotency key was used for another message."
                ) from None
            stored = known
        self._wake()
        return {"message_id": stored.id, "seq": stored.seq}

    @action
    async def notice(self, notice: Notice) -> None:
        """Tell the channel something from the platform, also while stopped. Safe to repeat."""
        try:
            async with self.event_log.change() as change:
                self.say(
                    change,
                    notice.text,
                    message_id=notice.message_id,
                    author="GrowQR",
                    role="system",
                    metadata={"billing": notice.billing},
                )
                change.emit("billing.changed", notice.billing)
        except DatabaseError:
            if await messages.find(self, notice.message_id, None) is None:
                raise

    @action(concurrent=True)
    async def events(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return stored events with `seq > after`, oldest first."""
        return await self.event_log.after(after, self.page_size(limit))

    @action(concurrent=True)
    async def messages(self, before: int | None, limit: int) -> dict[str, Any]:
        """Return a page of the channel, ascending; `before` continues with older ones."""
        limit = self.page_size(limit)
        items = await messages.page(self, before, limit)
        return {
            "items": [item.model_dump(mode="json") for item in items],
            "before": items[0].seq if len(items) == limit else None,
        }

    @action
    async def set_running(self, running: bool) -> None:
        """Start or stop the agent. Stopped, it takes no messages and begins no work."""
        if running == self.running:
            return
        async with self.event_log.change() as change:
            change.execute("INSERT OR REPLACE INTO meta VALUES ('running', ?)", str(int(running)))
            status: AgentStatus = "stopped"
            if running:
                status = "working" if self.busy() else "idle"
            change.emit("agent.status", {"status": status, "name": self.spec.name})
            change.then(lambda: setattr(self, "running", running))
            change.then(lambda: setattr(self, "status", status))
        await self.running_changed()
        self._wake()

    async def running_changed(self) -> None:
        """Hook: `self.running` is new."""

    def page_size(self, limit: int) -> int:
        """Return `limit`, brought into 1 to the largest page."""
        return max(1, min(limit, self.services.settings.limits.page))

    # The inbox

    def _check(self, text: str) -> None:
        if not self.running:
            raise ActionError("agent_stopped", "This agent is stopped. Start it, then try again.")
        if not text:
            raise ActionError("invalid_input", "The message is empty.")
        most = self.services.settings.limits.message_chars
        if len(text) > most:
            raise ActionError("invalid_input", f"The message is longer than {most} characters.")
        if len(self.inbox) >= MAX_WAITING:
            raise ActionError("too_many", f"{MAX_WAITING} messages wait already. Try again later.")

    def _wake(self) -> None:
        if self.inbox and self.running and not self._handling:
            self._handling = True
            self.spawn(self._handle_inbox(), name="inbox")

    async def _handle_inbox(self) -> None:
        try:
            while self.inbox and self.running:
                message = next(iter(self.inbox.values()))
                try:
                    await self.on_message(message)
                    if message.id in self.inbox:
                        await self._handled(message)
                except Exception as error:
                    await self._failed(message, error)
        finally:
            self._handling = False

    async def _failed(self, message: ChannelMessage, error: Exception) -> None:
        attempts = self._attempts.get(message.id, 0) + 1
        self._attempts[message.id] = attempts
        self.recovered.add(message.id)
        log.warning(
            "message.failed",
            actor_id=self.spec.actor_id,
            message_id=message.id,
            attempts=attempts,
            exc_info=not isinstance(error, GrowError),
        )
        hopeless = isinstance(error, GrowError) and not error.retryable
        if hopeless or attempts >= MAX_ATTEMPTS:
            code = error.code if isinstance(error, GrowError) else "internal_error"
            text = _apology(error, attempts)
            await self.reply(message, text, role="system", metadata={"error": code})
            return
        await self.db.execute(
            "UPDATE inbox SET attempts = ? WHERE message_id = ?", attempts, message.id
        )
        asked = error.extra.get("retry_after") if isinstance(error, GrowError) else None
        await asyncio.sleep(min(max(0.2 * 2**attempts, asked or 0), LONGEST_WAIT))

    async def _handled(self, message: ChannelMessage) -> None:
        async with self.event_log.change() as change:
            self.mark_handled(change, message.id)

    def mark_handled(self, change: Change, message_id: str, *, busy: bool = False) -> None:
        """Add the end of a message's handling to `change`; `busy`: its work goes on."""
        change.execute("DELETE FROM inbox WHERE message_id = ?", message_id)
        busy = busy or self.busy(without=message_id)
        self.note_status(change, "working" if busy else "idle")
        change.then(lambda: self.inbox.pop(message_id, None))
        change.then(lambda: self._attempts.pop(message_id, None))
        change.then(lambda: self.recovered.discard(message_id))

    def put_reply(
        self,
        change: Change,
        message_id: str,
        text: str,
        *,
        role: Literal["agent", "system"] = "agent",
        metadata: dict[str, Any] | None = None,
        busy: bool = False,
    ) -> None:
        """Add the one answer to a message and the end of its handling to `change`."""
        messages.store(
            change,
            message_id=self.reply_id(message_id),
            role=role,
            author=self.spec.name,
            text=messages.cut(text),
            in_reply_to=message_id,
            metadata=metadata,
        )
        if message_id in self.inbox:
            self.mark_handled(change, message_id, busy=busy)


def _apology(error: Exception, attempts: int) -> str:
    if not isinstance(error, GrowError):
        return (
            "Something went wrong on my side, and trying again did not help. "
            "Please send your message again later."
        )
    if not error.retryable:
        return error.detail
    return f"{error.detail} I tried {attempts} times. Please send your message again later."
