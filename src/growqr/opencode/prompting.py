"""Carries one prompt through a server: send it, follow its events, keep its limits."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from growqr.errors import GrowError
from growqr.opencode.client import OpenCodeClient
from growqr.opencode.server import Server
from growqr.opencode.turn import DROPPED, Turn
from growqr.opencode.types import Progress, TurnFailed, WorkspaceFailed
from growqr.settings import SandboxSettings

_QUEUE = 256
_RECONNECTS = 3
_RECONNECT_SECONDS = 1.0
_WIND_DOWN_SECONDS = 10.0
_LOST = "The connection to OpenCode broke and did not come back."
_TOO_MANY = "This is not allowed: too many questions were asked. Go on without it."
_ABORTED = TurnFailed("The work was stopped.", retryable=False, aborted=True)

Event = Mapping[str, Any]


class Conversation:
    """One prompt's turn. Iterate `run()` to its end, or `aclose` it: that aborts the turn."""

    def __init__(self, server: Server, session_id: str, settings: SandboxSettings) -> None:
        self._server = server
        self._client: OpenCodeClient = server.client
        self._session_id = session_id
        self._settings = settings
        self._seconds_left = settings.task_seconds
        self._sent = False
        self._aborting = False
        self.turn = Turn(session_id, "")

    async def run(self, text: str) -> AsyncGenerator[Progress, None]:
        """Send the prompt and yield its progress; the last one is Finished or TurnFailed."""
        stream = _Stream(self._client)
        try:
            if self._aborting:
                yield _ABORTED
                return
            await stream.open()
            newest = await self._client.messages(self._session_id, limit=1)
            self.turn = Turn(self._session_id, _last_id(newest))
            self._sent = True
            await self._client.prompt(self._session_id, text)
            steps = 0
            while not self.turn.ended:
                try:
                    event = await self._next(stream)
                except WorkspaceFailed:
                    for progress in await self._reconnected(stream):
                        yield await self._seen(progress)
                    continue
                if event is None:
                    yield await self._give_up(stream, self._too_long())
                    return
                for progress in self.turn.feed(event):
                    yield await self._seen(progress)
                while self.turn.refusals:
                    refused = self.turn.refusals.pop()
                    await self._client.decide(refused, allow=False, why=_TOO_MANY)
                if self.turn.steps > self._settings.max_steps:
                    reason = f"The model did not finish in {self._settings.max_steps} steps."
                    yield await self._give_up(stream, TurnFailed(reason, retryable=False))
                    return
                if self._aborting and self.turn.steps > steps:
                    await self._client.abort(self._session_id)  # it came before the turn began
                steps = self.turn.steps
        except GrowError as error:
            if not self._sent:
                raise
            yield TurnFailed(error.detail, retryable=error.retryable)
        finally:
            if self._sent and not self.turn.ended and not self._server.ended.is_set():
                await self._wind_down(stream)
            await stream.close()

    async def abort(self) -> None:
        """Stop the turn, whether it began or not; `run` then ends with TurnFailed(aborted)."""
        self._aborting = True
        self._seconds_left = min(self._seconds_left, _WIND_DOWN_SECONDS)
        if self._sent:
            self.turn.questions.clear()
            with contextlib.suppress(GrowError):  # a dead server's turn ends by itself
                await self._client.abort(self._session_id)

    async def _next(self, stream: "_Stream") -> Event | None:
        """Return the next event, or None when the time is up; waiting for people is free."""
        clock = asyncio.get_running_loop().time
        began = clock()
        limit = None if self.turn.questions else max(0.0, self._seconds_left)
        try:
            async with asyncio.timeout(limit):
                return await stream.next()
        except TimeoutError:
            return None
        finally:
            if limit is not None:
                self._seconds_left -= clock() - began

    async def _reconnected(self, stream: "_Stream") -> list[Progress]:
        """Open the stream again and return what happened meanwhile.

        Raises:
            WorkspaceFailed: the server is gone, or does not take the connection back.
        """
        for attempt in range(_RECONNECTS):
            if await self._server.ended_within(_RECONNECT_SECONDS * (attempt + 1)):
                raise WorkspaceFailed(self._server.reason)
            try:
                await stream.open()
                stored = await self._client.messages(self._session_id, limit=200)
                return list(self.turn.catch_up(stored))
            except WorkspaceFailed:
                continue
        await self._server.stop(_LOST)  # the next start gets a fresh one
        raise WorkspaceFailed(self._server.reason)

    async def _seen(self, progress: Progress) -> Progress:
        """Stop a server that takes prompts and does nothing: the next start gets a fresh one."""
        if progress is DROPPED:
            await self._server.stop(DROPPED.reason)
            return _ABORTED if self._aborting else DROPPED
        return progress

    def _too_long(self) -> TurnFailed:
        if self._aborting:
            return _ABORTED
        seconds = self._settings.task_seconds
        return TurnFailed(f"The work took longer than {seconds:.0f} s.", retryable=False)

    async def _give_up(self, stream: "_Stream", failure: TurnFailed) -> Progress:
        await self._wind_down(stream)
        return failure

    async def _wind_down(self, stream: "_Stream") -> None:
        """Abort the turn and wait for its end, so that none of it shows up in the next one."""
        with contextlib.suppress(GrowError, TimeoutError):
            async with asyncio.timeout(_WIND_DOWN_SECONDS):
                await self._client.abort(self._session_id)
                while not self.turn.ended:
                    for _ in self.turn.feed(await stream.next()):
                        pass
        self.turn.ended = True


class _Stream:
    """The server's events through a bounded queue, read by a task of its own."""

    def __init__(self, client: OpenCodeClient) -> None:
        self._client = client
        self._queue: asyncio.Queue[Event | WorkspaceFailed] = asyncio.Queue(_QUEUE)
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; what the server sends from here on is not lost."""
        await self.close()
        self._queue = asyncio.Queue(_QUEUE)
        self._reading = asyncio.create_task(self._read(), name="opencode-events")
        await self.next()  # the server greets

    async def next(self) -> Event:
        item = await self._queue.get()
        if isinstance(item, WorkspaceFailed):
            raise item
        return item

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            self._reading = None

    async def _read(self) -> None:
        failure = WorkspaceFailed("OpenCode ended its events.")
        try:
            async with self._client.events() as events:
                async for event in events:
                    # while a person thinks, nobody reads the queue, and only these come
                    if event.get("type") != "server.heartbeat":
                        await self._queue.put(event)
        except GrowError as error:
            failure = WorkspaceFailed(error.detail)
        await self._queue.put(failure)


def _last_id(messages: list[Mapping[str, Any]]) -> str:
    ids = [message["info"].get("id") for message in messages if _has_info(message)]
    return max((value for value in ids if isinstance(value, str)), default="")


def _has_info(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("info"), dict)
