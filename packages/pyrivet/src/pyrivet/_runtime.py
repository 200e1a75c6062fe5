"""One generation of an actor: from its start to its sleep, move, crash or end."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import cbor2

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._actions import Kind
from pyrivet._audience import Audience
from pyrivet._calls import Calls
from pyrivet._database import Database
from pyrivet._envoy import Envoy
from pyrivet._hibernation import Hibernation, KeptSockets
from pyrivet._idle import Idleness
from pyrivet._key import split_key
from pyrivet._kv import KeyValue
from pyrivet._queue import Queues
from pyrivet._schedule import LOAD, REPEATS, SCHEMA, Schedule
from pyrivet._state import LOAD as LOAD_STATE
from pyrivet._state import State
from pyrivet._tasks import Chore, Tasks
from pyrivet._tunnel import Channel
from pyrivet._wake import WakeTime
from pyrivet.actor import Actor, attach

if TYPE_CHECKING:
    from pyrivet.client import Client

T = TypeVar("T")
log = logging.getLogger("pyrivet")

_START_SECONDS = 25.0  # the engine gives up at 30
_META = "CREATE TABLE IF NOT EXISTS pyrivet_meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"
_CREATED = "SELECT value FROM pyrivet_meta WHERE name = 'created'"


class ActorRun:
    """Runs one actor instance: builds its parts, starts them, and stops them in order."""

    def __init__(
        self,
        envoy: Envoy,
        place: p.Checkpoint,
        config: p.ActorConfig,
        *,
        actor: Actor,
        kind: Kind,
        client: "Client",
        before: "ActorRun | None",
        kept: "KeptSockets",
    ) -> None:
        self.id = place.actor_id
        self.generation = place.generation
        self.name = config.name
        self.key = split_key(config.key)
        self.input: Any = None
        self.client = client
        self.options = actor.options
        self.ended = asyncio.Event()
        self._envoy = envoy
        self._raw_input = config.input
        self._actor = actor
        self._before = before
        self._hibernation = Hibernation(self, kept)
        self._stop: asyncio.Future[p.StopReason] = asyncio.get_running_loop().create_future()
        self._failure: str | None = None
        self._unasked: str | None = None
        self._write_interrupted = False
        self._ids = {"actor": self.name, "actor_id": self.id, "generation": self.generation}
        self._tasks = Tasks(f"{self.name}/{'/'.join(self.key)}", self._ids)
        self._idleness = Idleness(
            self.options.sleep_after,
            self.sleep,
            lambda: self.schedule.next_ms(),
        )
        self.hold = self._idleness.hold
        self.db = Database(envoy, self.id, self.generation, self)
        self.kv = KeyValue(envoy, self.id)
        self._state = None if kind.state is None else State(self.db, actor, kind.state)
        self.calls = Calls(
            actor, kind.actions, self._state, self._tasks, hold=self.hold, ids=self._ids
        )
        self.audience = Audience(actor, self.calls, self._tasks, self._idleness, self._ids)
        self.schedule = Schedule(
            self.db,
            known=kind.actions.__contains__,
            run=self.calls.alarm,
            changed=lambda: self._wake.update(),
            due=self._run_alarms,
        )
        self._alarms = Chore(self._tasks, self.hold, self.schedule.run_due, "alarms")
        self._wake = WakeTime(self.schedule.next_ms, self._emit)
        self.queues = Queues(
            self.db,
            kind.queues,
            max_messages=self.options.max_queued,
            run=self.calls.message,
            arriving=self._wake.need_rescue,
            arrived=self._work_queues,
        )
        self._queue_work = Chore(self._tasks, self.hold, self.queues.work, "queues")

    @property
    def accepting(self) -> bool:
        """Whether it takes calls."""
        return self._tasks.accepting

    def channel(self, opened: p.MessageId) -> Channel:
        return Channel(self._envoy, opened)

    async def live(self) -> None:
        """Start, run until told to stop or until it fails, stop, and report each step."""
        if self._before is not None:
            await self._before.ended.wait()  # never two generations at once
            self._before = None
        begin = self._tasks.start_call(self._begin(), "start")
        both: set[asyncio.Future[Any]] = {begin, self._stop}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        started = False
        if not self._stop.done():
            if begin.cancelled() or begin.exception() is not None:
                error = None if begin.cancelled() else begin.exception()
                log.error("actor.start_failed", extra=self._ids, exc_info=error)
                self.fail("start failed")
            else:
                started = True
                self._run()
        reason = await self._stop
        self._tasks.accepting = False
        await self._finish(reason, started)
        why = self._failure or self._unasked
        code = p.StopCode.OK if why is None else p.StopCode.ERROR
        self._emit(p.StateUpdate(p.Stopped(code, why)))
        self.ended.set()

    def leave(self) -> None:
        """Stop in good order although the engine has not asked."""
        if not self._stop.done():
            # Stopped(OK) on our own initiative would destroy the actor.
            self._unasked = "the worker left"
            self._stop.set_result(p.StopReason.GOING_AWAY)

    def stop(self, reason: p.StopReason) -> None:
        """Stop as the engine asks."""
        self._unasked = None
        if reason is p.StopReason.LOST:
            self.fail("the engine lost this worker")
        elif not self._stop.done():
            self._stop.set_result(reason)

    def fail(self, why: str) -> None:
        """Stop at once without hooks: this generation may not go on."""
        if self.ended.is_set():
            return
        self._failure = self._failure or why
        if not self._stop.done():
            self._stop.set_result(p.StopReason.LOST)
        self._tasks.abandon()

    def sleep(self) -> None:
        """Ask the engine for a sleep; it then stops this generation."""
        self._emit(p.Intent(p.IntentSleep()))

    def destroy(self) -> None:
        """Ask the engine for the end of the actor."""
        self._emit(p.Intent(p.IntentStop()))

    def interrupted(self) -> None:
        """Restart, as memory and database may differ now."""
        log.warning("actor.write_interrupted", extra=self._ids)
        self._write_interrupted = True
        self.fail("a write was interrupted")

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None) -> "asyncio.Task[T]":
        """Run something in the background; see `Actor.spawn`."""

        async def awake() -> T:
            with self.hold():
                return await work

        task = self._tasks.start_work(awake(), name or "work")
        task.add_done_callback(lambda _: work.close())  # in case it was cancelled before it began
        self._wake.need_rescue()
        return task

    async def save_state(self) -> None:
        if self._state is not None:
            await self._state.save()

    async def _begin(self) -> None:
        async with asyncio.timeout(_START_SECONDS):
            if self._raw_input is not None:
                self.input = cbor2.loads(self._raw_input)
            attach(self._actor, self)
            basics = (SCHEMA, REPEATS, _META, LOAD, _CREATED, LOAD_STATE)
            queues = self.queues.statements()
            kept = self._hibernation.statements()
            results = await self.db.ensure([*[(sql, ()) for sql in basics], *queues, *kept])
            self.schedule.load(results[3].rows)
            if queues:
                self.queues.waiting = results[len(basics) + len(queues) - 1].rows[0]["waiting"]
            if kept:
                self._hibernation.restore(results[-1])
            saved = results[5].rows
            if self._state is not None and not self._state.load(
                saved[0]["value"] if saved else None
            ):
                self._state.take(await self._actor.create_state())
            if not results[4].rows:
                await self._actor.on_create()
                await self.save_state()
                await self.db.execute("INSERT INTO pyrivet_meta VALUES ('created', '1')")
            await self._actor.on_start()
            await self.save_state()

    def _run(self) -> None:
        self._tasks.accepting = True
        self._emit(p.StateUpdate(p.Running()))
        self._hibernation.resume()
        self._wake.begin()
        self.schedule.resume()
        self._work_queues()
        self._idleness.start()

    async def _finish(self, asked: p.StopReason, started: bool) -> None:
        grace = self.options.stop_grace.total_seconds()
        self.schedule.pause()
        self.queues.pause()
        self._idleness.stop()
        await self.audience.end_sockets()
        await self._tasks.finish_calls(grace)
        unfinished = bool(self._tasks.work or self.queues.waiting)
        await self._tasks.cancel_all()
        gone = asked in (p.StopReason.DESTROY, p.StopReason.STOP_INTENT)
        if started and self._failure is None:
            await self._hook(self._actor.on_destroy() if gone else self._actor.on_sleep())
        if self._failure is None and not gone:
            await self._hibernation.leave()
        # Every call that has come in is answered by now, unless this generation failed.
        reason = _wire.DRAINED if self._failure is None else "failed"
        await self.audience.part(reason)
        await self._tasks.finish_calls(grace)
        await self._tasks.cancel_all()
        if self._failure is None:
            self._wake.settle(unfinished)
        elif not started:
            self._wake.retry_start(self._write_interrupted)

    async def _hook(self, hook: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.start_call(hook, "hook")
        await asyncio.wait({task}, timeout=self.options.stop_grace.total_seconds())
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.error("actor.hook_failed", extra=self._ids, exc_info=task.exception())

    def _run_alarms(self) -> None:
        if self._tasks.accepting:
            self._alarms.start()

    def _work_queues(self) -> None:
        if self._tasks.accepting and self.queues.waiting:
            self._queue_work.start()

    def _emit(self, event: p.ActorEvent) -> None:
        self._envoy.emit(self.id, self.generation, event)
