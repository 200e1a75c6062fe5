"""One live subscription per agent in this process, shared by everyone who follows it.

Followers read from one ring of encoded events, each at a place of its own, so a thousand of
them cost one encoding and one wake-up. Whoever falls out of the ring reads the stored events
of the agent until the ring has what follows: a follower sees each stored event once, in
order, without gaps. Events that are not stored (`message.delta`, `channel.read`)
are best effort.
"""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from growqr.api.agents_gateway import AgentGateway, AgentUnavailable
from growqr.db.tables import ActorRow
from growqr.errors import GrowError, InvalidInput, NotFound, TooMany

log = structlog.get_logger(__name__)

_RING_EVENTS = 1024
_RING_BYTES = 4 * 1024 * 1024
_PAGE = 200
_FIRST_ANSWER_SECONDS = 45
"""After its own power cut, the engine gives agents free only after 30 s."""
_LONGEST_PAUSE_SECONDS = 5.0


def _pauses() -> Iterator[float]:
    """Give ever longer pauses in seconds between tries, spread so that many don't try at once."""
    pause = 0.1
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 (spread, no secret)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


class CursorAhead(InvalidInput):
    """`after` names an event that has not happened."""

    code = "cursor_ahead"


class TooManyStreams(TooMany):
    """The user follows as many streams as one may."""

    code = "too_many_streams"


@dataclass(frozen=True, slots=True)
class Frame:
    """An event, encoded once for everybody. `seq` is None when it is not stored."""

    seq: int | None
    after: int
    """The stored event it follows; its own number when it is stored itself."""
    body: bytes
    """As a server-sent event."""

    @classmethod
    def of(cls, event: dict[str, Any], after: int = 0) -> "Frame":
        data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        seq = event["seq"]
        head = f"id: {seq}\n" if seq is not None else ""
        return cls(
            seq,
            after if seq is None else seq,
            f"{head}event: {event['type']}\ndata: {data}\n\n".encode(),
        )


class EventHub:
    """Follow agents' events. `aclose` ends every stream and subscription."""

    def __init__(self, agents: AgentGateway, *, per_user: int) -> None:
        self._agents = agents
        self._per_user = per_user
        self._seats: Counter[str] = Counter()
        self._streams: dict[str, _Stream] = {}

    @property
    def subscriptions(self) -> int:
        """Agents that somebody follows now."""
        return len(self._streams)

    @contextmanager
    def seat(self, user_id: str) -> Iterator[None]:
        """Count one open stream of the user; raises TooManyStreams beyond `per_user`."""
        if self._seats[user_id] >= self._per_user:
            raise TooManyStreams(f"You have {self._per_user} streams open; close one first.")
        self._seats[user_id] += 1
        try:
            yield
        finally:
            self._seats[user_id] -= 1
            if not self._seats[user_id]:
                del self._seats[user_id]

    @asynccontextmanager
    async def follow(self, actor: ActorRow, after: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the events with `seq > after`, stored ones first, then live, without end.

        Each item is one or more whole server-sent events. Raises AgentUnavailable when the
        agent does not answer, CursorAhead when `after` is beyond its last event.
        """
        async with self._shared(actor) as stream:
            await stream.check_cursor(after)
            yield stream.read(after)

    @asynccontextmanager
    async def follow_news(self, actor: ActorRow) -> AsyncIterator[AsyncIterator[None]]:
        """Yield None at once, and again whenever the agent has had an event since."""
        async with self._shared(actor) as stream:
            yield stream.news()

    @asynccontextmanager
    async def _shared(self, actor: ActorRow) -> AsyncIterator["_Stream"]:
        stream = self._streams.get(actor.id)
        if stream is None:
            stream = self._streams[actor.id] = _Stream(actor, self._agents)
        stream.followers += 1
        try:
            await stream.ready()
            yield stream
        finally:
            stream.followers -= 1
            if stream.followers == 0:
                if self._streams.get(actor.id) is stream:
                    del self._streams[actor.id]
                await stream.aclose()

    async def end(self, actor_id: str) -> None:
        """End every stream of an agent that is about to be removed: to follow it would make it."""
        if (stream := self._streams.pop(actor_id, None)) is not None:
            await stream.aclose()

    async def aclose(self) -> None:
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            await stream.aclose()


_Wanted = tuple[int, int, int | None]
"""Which stored events: after this one, so many, while that one was the newest known."""


class _Stream:
    """The shared part: the upstream subscription and the ring."""

    def __init__(self, actor: ActorRow, agents: AgentGateway) -> None:
        self.followers = 0
        self._actor = actor
        self._agents = agents
        self._ring: deque[Frame] = deque()
        self._ring_bytes = 0
        self._base = 0
        """Place of the ring's first frame, counted from the stream's beginning."""
        self._floor: int | None = None
        """The ring holds every stored event after this one; None before any is known."""
        self._last: int | None = None
        """`seq` of the newest event that is in the ring, or that was there."""
        self._news = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._closed = False
        self._gone: NotFound | None = None
        """Why there is nothing to follow any more."""
        self._reading: dict[_Wanted, asyncio.Task[list[Frame]]] = {}
        """Reads of stored events that are under way."""
        self._upstream = asyncio.create_task(self._pump(), name=f"events {actor.id}")

    async def ready(self) -> None:
        """Return once subscribed, so that nothing falls between stored and live events."""
        try:
            async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
                await self._subscribed.wait()
        except TimeoutError as error:
            raise AgentUnavailable("The agent does not answer now. Try again shortly.") from error
        if self._gone is not None:
            raise self._gone

    async def check_cursor(self, after: int) -> None:
        """Raise CursorAhead unless the event `after` exists (0 always does)."""
        if after == 0 or (self._last is not None and after <= self._last):
            return
        if not await self._shared(after - 1, 1):
            raise CursorAhead("There is no event of that number yet. Start again from 0.")

    async def read(self, after: int) -> AsyncIterator[bytes]:
        cursor = after
        place = joined = self._base + len(self._ring)
        first_look = True
        while not self._closed:
            news = self._news  # taken first: what comes later sets it
            if self._floor is None or cursor < self._floor:
                page = await self._stored_in_the_end(cursor)
                if self._closed:
                    return
                if page:
                    cursor = page[-1].after
                    yield b"".join(frame.body for frame in page)
                elif self._floor is None:
                    self._floor = self._last = cursor  # nothing newer is stored: begin here
                elif cursor < self._floor:
                    log.error("events.log_shrank", actor_id=self._actor.id, cursor=cursor)
                    return
                continue
            if first_look:  # what the ring holds already is as good as stored
                place, first_look = self._base, False
            end = self._base + len(self._ring)
            batch = []
            for at in range(max(place, self._base), end):
                frame = self._ring[at - end]  # counted from the end, where access is quick
                if frame.seq is not None and frame.seq > cursor:
                    cursor = frame.seq
                    batch.append(frame.body)
                elif frame.seq is None and frame.after >= cursor and at >= joined:
                    batch.append(frame.body)
            place = end
            if batch:
                yield b"".join(batch)
            else:
                await news.wait()

    async def news(self) -> AsyncIterator[None]:
        while not self._closed:
            news = self._news
            yield
            await news.wait()

    async def aclose(self) -> None:
        self._closed = True
        self._wake()
        ending = [self._upstream, *self._reading.values()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _stored_in_the_end(self, after: int) -> list[Frame]:
        """Like `_stored`, but outlasts a time in which the agent does not answer."""
        for pause in _pauses():
            try:
                return await self._shared(after, _PAGE)
            except GrowError as error:
                if self._closed or not error.retryable:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the pauses have no end")

    async def _shared(self, after: int, limit: int) -> list[Frame]:
        """Like `_stored`, but read once for all who ask for the same while nothing new came."""
        wanted = (after, limit, self._last)
        reading = self._reading.get(wanted)
        if reading is None:
            reading = asyncio.create_task(self._stored(after, limit))
            self._reading[wanted] = reading
            reading.add_done_callback(lambda done: self._read_ended(wanted, done))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            if reading.cancelled() and self._closed:
                return []  # the reading was cancelled, not who asked
            raise

    def _read_ended(self, wanted: _Wanted, reading: asyncio.Task[list[Frame]]) -> None:
        del self._reading[wanted]
        if not reading.cancelled():
            reading.exception()  # taken note of, in case all who asked have left

    async def _stored(self, after: int, limit: int = _PAGE) -> list[Frame]:
        events = await self._agents.stored_events(self._actor, after, limit)
        return [Frame.of(event) for event in events]

    async def _pump(self) -> None:
        pauses = _pauses()
        while True:
            try:
                async with self._agents.live_events(self._actor) as events:
                    await self._fill_gap()
                    self._subscribed.set()
                    pauses = _pauses()
                    async for event in events:
                        await self._take(event)
            except NotFound as error:  # its user has left
                self._gone, self._closed = error, True
                self._subscribed.set()
                self._wake()
                return
            except GrowError as error:
                log.warning("events.upstream_lost", actor_id=self._actor.id, code=error.code)
            except Exception:
                log.exception("events.upstream_failed", actor_id=self._actor.id)
            await asyncio.sleep(next(pauses))

    async def _take(self, event: dict[str, Any] | None) -> None:
        if event is None:
            await self._fill_gap()
            return
        frame = Frame.of(event, after=self._last or 0)
        if frame.seq is None:
            self._append(frame)
            return
        if self._last is not None and frame.seq > self._last + 1:
            await self._fill_gap()
        if self._last is None or frame.seq > self._last:
            self._append(frame)

    async def _fill_gap(self) -> None:
        """Read what was stored since the newest event in the ring."""
        while self._last is not None and (page := await self._stored(self._last)):
            for frame in page:
                self._append(frame)

    def _append(self, frame: Frame) -> None:
        if frame.seq is not None:
            if self._floor is None:
                self._floor = frame.seq - 1
            self._last = frame.seq
        self._ring.append(frame)
        self._ring_bytes += len(frame.body)
        while len(self._ring) > _RING_EVENTS or self._ring_bytes > _RING_BYTES:
            dropped = self._ring.popleft()
            self._ring_bytes -= len(dropped.body)
            self._base += 1
            if dropped.seq is not None:
                self._floor = dropped.seq
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
