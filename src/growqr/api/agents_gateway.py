"""Typed calls on agents: the only place in the api that knows the actor engine.

The actions are listed in `docs/architecture.md`. Every call raises NotFound, Conflict,
AgentStopped or InvalidInput when the agent refuses, and AgentUnavailable when it can't be
reached in time.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import structlog
from pyrivet import ActionError, ActorHandle, ActorNotFound, Client, EventsLost, RivetError

from growqr.db.tables import ActorRow
from growqr.errors import Conflict, GrowError, InvalidInput, NotFound, TooMany, Unavailable

Json = dict[str, Any]

log = structlog.get_logger(__name__)

_CALL = timedelta(seconds=15)
_SLOW_CALL = timedelta(seconds=60)
"""For actions that may have to wait for a sandbox."""


class AgentStopped(Conflict):
    """The agent was stopped; start it first."""

    code = "agent_stopped"


class AgentUnavailable(Unavailable):
    """The agent, or the engine that hosts it, does not answer now."""

    code = "agent_unavailable"


_REFUSALS: dict[str, type[GrowError]] = {
    "not_found": NotFound,
    "conflict": Conflict,
    "agent_stopped": AgentStopped,
    "invalid_input": InvalidInput,
    "too_many": TooMany,
    "unavailable": AgentUnavailable,
}


class AgentGateway:
    """Calls agents by their registry rows; an agent that never ran is created by the call."""

    def __init__(self, client: Client) -> None:
        self._client = client

    # Every agent

    async def post_message(
        self,
        actor: ActorRow,
        *,
        text: str,
        message_id: str,
        idempotency_key: str | None,
        answers: str | None = None,
    ) -> Json:
        """Return `{message_id, seq}` once the message is durable; a repeat gets the same."""
        message = {
            "text": text,
            "message_id": message_id,
            "idempotency_key": idempotency_key,
            "answers": answers,
        }
        return cast("Json", await self._call(actor, "post_message", message, retry=True))

    async def stored_events(self, actor: ActorRow, after: int, limit: int) -> list[Json]:
        """Return stored events with `seq > after`, oldest first."""
        return cast("list[Json]", await self._call(actor, "events", after, limit, retry=True))

    async def messages(self, actor: ActorRow, before: int | None, limit: int) -> Json:
        """Return the newest page older than `before`: `{items, before}`."""
        return cast("Json", await self._call(actor, "messages", before, limit, retry=True))

    async def set_running(self, actor: ActorRow, running: bool) -> None:
        await self._call(actor, "set_running", running, retry=True)

    async def notice(self, actor: ActorRow, *, message_id: str, text: str, billing: Json) -> None:
        """Post a notice of the platform; the same `message_id` is posted once."""
        notice = {"message_id": message_id, "text": text, "billing": billing}
        await self._call(actor, "notice", notice, retry=True)

    async def remove(self, actor: ActorRow) -> None:
        """Remove the agent and all it has stored, for good; one that never ran is no error."""
        try:
            await self._handle(actor).destroy()
        except ActorNotFound:
            return
        except RivetError as error:
            raise _translated(error, actor, "destroy") from error

    @asynccontextmanager
    async def live_events(self, actor: ActorRow) -> AsyncIterator[AsyncIterator[Json | None]]:
        """Yield the agent's events as they happen; None where some may be missing."""
        try:
            async with self._handle(actor).subscribe("event") as subscription:
                yield _without_gaps_hidden(subscription)
        except RivetError as error:
            raise _translated(error, actor, "subscribe") from error

    # The Grow Agent

    async def tasks(
        self, grow: ActorRow, *, status: str | None, before: int | None, limit: int
    ) -> Json:
        """Return `{items, before}`, the newest tasks first."""
        return cast("Json", await self._call(grow, "tasks", status, before, limit, retry=True))

    async def task(self, grow: ActorRow, task_id: str) -> Json:
        return cast("Json", await self._call(grow, "task", task_id, retry=True))

    async def pause_task(self, grow: ActorRow, task_id: str) -> Json:
        return cast("Json", await self._call(grow, "pause_task", task_id, retry=True))

    async def resume_task(self, grow: ActorRow, task_id: str) -> Json:
        return cast("Json", await self._call(grow, "resume_task", task_id, retry=True))

    async def cancel_task(self, grow: ActorRow, task_id: str) -> Json:
        return cast("Json", await self._call(grow, "cancel_task", task_id, retry=True))

    async def channels(self, grow: ActorRow) -> dict[str, Json]:
        """Return `{channel_id: {status, unread, last_message_at}}`."""
        return cast("dict[str, Json]", await self._call(grow, "channels", retry=True))

    async def mark_read(self, grow: ActorRow, channel_id: str) -> None:
        await self._call(grow, "mark_read", channel_id, retry=True)

    # The quest agent

    async def start_quest(self, quest: ActorRow, *, key: str, run_id: str) -> Json:
        """Start a run; the same `run_id` is the same run."""
        wish = {"key": key, "run_id": run_id}
        return cast("Json", await self._call(quest, "start_quest", wish, retry=True))

    async def quest_runs(self, quest: ActorRow, before: str | None, limit: int) -> Json:
        return cast("Json", await self._call(quest, "runs", before, limit, retry=True))

    async def quest_run(self, quest: ActorRow, run_id: str) -> Json:
        return cast("Json", await self._call(quest, "run", run_id, retry=True))

    # The coding agent

    async def workspace(self, coding: ActorRow) -> Json:
        return cast("Json", await self._call(coding, "workspace", retry=True))

    async def workspace_start(self, coding: ActorRow) -> Json:
        answer = await self._call(coding, "workspace_start", retry=True, timeout=_SLOW_CALL)
        return cast("Json", answer)

    async def workspace_stop(self, coding: ActorRow) -> Json:
        answer = await self._call(coding, "workspace_stop", retry=True, timeout=_SLOW_CALL)
        return cast("Json", answer)

    async def workspace_logs(self, coding: ActorRow, after: int) -> list[Json]:
        return cast("list[Json]", await self._call(coding, "workspace_logs", after, retry=True))

    async def create_session(self, coding: ActorRow, title: str) -> Json:
        return cast("Json", await self._call(coding, "create_session", title, timeout=_SLOW_CALL))

    async def session_message(
        self, coding: ActorRow, *, session_id: str, text: str, message_id: str
    ) -> Json:
        message = {"session_id": session_id, "text": text, "message_id": message_id}
        return cast("Json", await self._call(coding, "session_message", message, retry=True))

    async def session_events(self, coding: ActorRow, session_id: str, after: int) -> list[Json]:
        answer = await self._call(coding, "session_events", session_id, after, retry=True)
        return cast("list[Json]", answer)

    def _handle(self, actor: ActorRow) -> ActorHandle:
        return self._client.get_or_create(actor.name, [actor.id])

    async def _call(
        self,
        actor: ActorRow,
        action: str,
        *args: Any,
        retry: bool = False,
        timeout: timedelta = _CALL,
    ) -> Any:
        """`retry`: the action is safe to repeat, so a broken connection is no reason to fail."""
        try:
            return await self._handle(actor).call(action, *args, timeout=timeout, retry=retry)
        except RivetError as error:
            raise _translated(error, actor, action) from error


async def _without_gaps_hidden(
    subscription: AsyncIterator[list[Any]],
) -> AsyncIterator[Json | None]:
    while True:
        try:
            async for arguments in subscription:
                yield arguments[0]
            return
        except EventsLost:
            yield None


def _translated(error: RivetError, actor: ActorRow, action: str) -> GrowError:
    if not isinstance(error, ActionError):
        log.warning("agent.unavailable", actor_id=actor.id, action=action, error=str(error))
        return AgentUnavailable("The agent does not answer now. Try again shortly.")
    refusal = _REFUSALS.get(error.code)
    if refusal is None:
        log.error("agent.failed", actor_id=actor.id, action=action, code=error.code)
        return GrowError("The agent failed on this. It has been logged.")
    return refusal(error.message or "The agent refused this.")
