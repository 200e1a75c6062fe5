"""One generation of an actor: from its start to its sleep, move, crash or end."""

import asyncio
import enum
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import cbor2

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._actions import Action, Kind
from pyrivet._audience import Audience
from pyrivet._connection import POLICY, Connection
from pyrivet._database import Database
from pyrivet._envoy import Envoy
from pyrivet._idle import Idleness
from pyrivet._key import split_key
from pyrivet._kv import KeyValue
from pyrivet._outcome import NotRun, Outcome, Refusal
from pyrivet._queue import Queues
from pyrivet._raw import Request, Response
from pyrivet._schedule import LOAD, ON_ALARM, REPEATS, SCHEMA, Schedule
from pyrivet._state import LOAD as LOAD_STATE
from pyrivet._state import State
from pyrivet.actor import Actor, attach
from pyrivet.errors import DatabaseInterrupted

if TYPE_CHECKING:
    from pyrivet.client import Client

T = TypeVar("T")
log = logging.getLogger("pyrivet")

_START_SECONDS = 25.0  # the engine gives up at 30
_CANCEL_SECONDS = 5.0
_RETRY_INTERRUPTED_MS = 1_000
_RETRY_START_MS = 30_000
_META = "CREATE TABLE IF NOT EXISTS pyrivet_meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"


class Phase(enum.Enum):
    STARTING = enum.auto()
    RUNNING = enum.auto()
    STOPPING = enum.auto()
    STOPPED = enum.auto()


class ActorRun:
    """Runs one actor instance: its hooks, actions, connections, alarms and idle time."""

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
    ) -> None:
        self.id = place.actor_id
        self.generation = place.generation
        self.name = config.name
        self.key = split_key(config.key)
        self.input: Any = None
        self.client = client
        self.options = actor.options
        self.db = Database(envoy, self.id, self.generation, self)
        self.kv = KeyValue(envoy, self.id)
        self.schedule = Schedule(
            self.db,
            known=kind.actions.__contains__,
            run=self._run_alarm_action,
            changed=self._update_alarm,
            due=self._alarm_due,
        )
        self.ended = asyncio.Event()
        self._envoy = envoy
        self._raw_input = config.input
        self._actor = actor
        self._actions = kind.actions
        self.queues = Queues(
            self.db,
            kind.queues,
            max_messages=self.options.max_queued,
            run=self._run_message,
            arriving=self._need_rescue,
            arrived=self._work_queues,
        )
        self._queue_task: asyncio.Task[None] | None = None
        self._state = None if kind.state is None else State(self.db, actor, kind.state)
        self._before = before
        self._phase = Phase.STARTING
        self._stop: asyncio.Future[p.StopReason] = asyncio.get_running_loop().create_future()
        self._failure: str | None = None
        self._unasked: str | None = None
        self._calls: set[asyncio.Task[Any]] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._serial = asyncio.Lock()
        self.audience = Audience()
        self._idleness = Idleness(
            self.options.sleep_after, lambda: self._emit(p.Intent(p.IntentSleep()))
        )
        self.hold = self._idleness.hold
        self._alarm_task: asyncio.Task[None] | None = None
        self._alarm_ms: int | None = None
        self._to_rescue = False
        self._write_interrupted = False

    # Life

    async def live(self) -> None:
        """Start, run until told to stop or until it fails, stop, and report each step."""
        if self._before is not None:
            await self._before.ended.wait()  # never two generations at once
            self._before = None
        begin = self._track(self._calls, self._begin(), "start")
        both: set[asyncio.Future[Any]] = {begin, self._stop}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._stop.done():
            if begin.cancelled() or begin.exception() is not None:
                error = None if begin.cancelled() else begin.exception()
                log.error("actor.start_failed", extra=self._ids(), exc_info=error)
                self.fail("start failed")
            else:
                self._run()
        reason = await self._stop
        started = self._phase is Phase.RUNNING
        self._phase = Phase.STOPPING
        await self._finish(reason, started)
        self._phase = Phase.STOPPED
        why = self._failure or self._unasked
        code = p.StopCode.OK if why is None else p.StopCode.ERROR
        self._emit(p.StateUpdate(p.Stopped(code, why)))
        self.ended.set()

    def _run(self) -> None:
        self._phase = Phase.RUNNING
        self._emit(p.StateUpdate(p.Running()))
        self._update_alarm()
        self.schedule.resume()
        self._work_queues()
        self._idleness.start()

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
        if self._phase is Phase.STOPPED:
            return
        self._failure = self._failure or why
        if not self._stop.done():
            self._stop.set_result(p.StopReason.LOST)
        current = asyncio.current_task()
        for task in [*self._calls, *self._work]:
            if task is not current:
                task.cancel()

    def interrupted(self) -> None:
        """Restart, as memory and database may differ now."""
        log.warning("actor.write_interrupted", extra=self._ids())
        self._write_interrupted = True
        self.fail("a write was interrupted")

    async def _begin(self) -> None:
        async with asyncio.timeout(_START_SECONDS):
            if self._raw_input is not None:
                self.input = cbor2.loads(self._raw_input)
            attach(self._actor, self)
            created = "SELECT value FROM pyrivet_meta WHERE name = 'created'"
            basics = (SCHEMA, REPEATS, _META, LOAD, created, LOAD_STATE)
            statements = [*[(sql, ()) for sql in basics], *self.queues.statements()]
            results = await self.db.ensure(statements)
            self.schedule.load(results[3].rows)
            if len(results) > len(basics):
                self.queues.waiting = results[-1].rows[0]["waiting"]
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

    async def _finish(self, asked: p.StopReason, started: bool) -> None:
        self.schedule.pause()
        self.queues.pause()
        self._idleness.stop()
        if self._calls:
            await asyncio.wait(self._calls, timeout=self.options.stop_grace.total_seconds())
        unfinished = bool(self._work or self.queues.waiting)
        await self._cancel_all()
        if started and self._failure is None:
            gone = asked in (p.StopReason.DESTROY, p.StopReason.STOP_INTENT)
            await self._hook(self._actor.on_destroy() if gone else self._actor.on_sleep())
        # Every call that has come in is answered by now, unless this generation failed.
        reason = _wire.DRAINED if self._failure is None else "failed"
        await self.audience.part(reason)
        if self._calls:
            await asyncio.wait(self._calls, timeout=self.options.stop_grace.total_seconds())
        await self._cancel_all()
        if self._failure is None:
            self._to_rescue = unfinished
            self._update_alarm()
        elif not started:
            self._retry_start()

    async def _hook(self, hook: Coroutine[Any, Any, None]) -> None:
        task = self._track(self._calls, hook, "hook")
        await asyncio.wait({task}, timeout=self.options.stop_grace.total_seconds())
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.error("actor.hook_failed", extra=self._ids(), exc_info=task.exception())

    async def _cancel_all(self) -> None:
        """Cancel everything and wait: the next generation must find nothing of this one."""
        while tasks := [*self._calls, *self._work]:
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
            if left:
                names = [task.get_name() for task in left]
                log.error("actor.ignores_cancellation", extra={**self._ids(), "tasks": names})

    # Work in the background, idle time, alarms

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None) -> "asyncio.Task[T]":
        async def awake() -> T:
            try:
                with self.hold():
                    return await work
            finally:
                work.close()  # in case it was cancelled before it began

        task = self._track(self._work, awake(), name or "work")
        task.add_done_callback(self._work_done)
        self._need_rescue()
        return task

    def _need_rescue(self) -> None:
        """Have the actor started again at once if the worker dies."""
        if not self._to_rescue:
            self._to_rescue = True
            self._update_alarm()

    def _work_done(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None:
            extra = {**self._ids(), "task": task.get_name()}
            log.error("actor.work_failed", extra=extra, exc_info=task.exception())

    def _alarm_due(self) -> None:
        if self._alarm_task is None and self._phase is Phase.RUNNING:
            self._alarm_task = self._track(self._calls, self._run_alarms(), "alarms")

    async def _run_alarms(self) -> None:
        try:
            with self.hold():
                await self.schedule.run_due()
        finally:
            self._alarm_task = None

    async def _run_alarm_action(self, name: str, args: list[Any]) -> None:
        try:
            if name == ON_ALARM:
                await self._perform(self._actor.on_alarm, [])
            else:
                await self.invoke(name, args)
        except (NotRun, DatabaseInterrupted):
            raise asyncio.CancelledError from None  # the alarm stays for the next generation

    # Queues

    def _work_queues(self) -> None:
        if self.queues.waiting and self._queue_task is None and self._phase is Phase.RUNNING:
            self._queue_task = self._track(self._calls, self._run_queues(), "queues")

    async def _run_queues(self) -> None:
        try:
            with self.hold():
                await self.queues.work()
        finally:
            self._queue_task = None

    async def _run_message(self, handler: Action, body: Any) -> Outcome:
        try:
            [checked] = handler.check([body])
            method = getattr(self._actor, handler.name)
            return Outcome.success(handler.dump(await self._perform(method, [checked])))
        except (NotRun, DatabaseInterrupted):
            raise asyncio.CancelledError from None  # the message stays for the next generation
        except Exception as error:
            return Outcome.of(error, self._ids() | {"queue_handler": handler.name})

    def _update_alarm(self) -> None:
        """Tell the engine when to wake the actor if it is not running then.

        While there is background work the alarm is kept in the past. A running actor does not
        notice; one whose worker has died is started again at once.
        """
        if self._phase is Phase.STARTING:
            return  # the engine wants to hear that it runs first
        wanted = self.schedule.next_ms()
        if self._to_rescue:
            wanted = min(wanted or 1 << 62, time.time_ns() // 1_000_000)
            if self._alarm_ms is not None and self._alarm_ms <= wanted:
                return
        if wanted != self._alarm_ms:
            self._alarm_ms = wanted
            self._emit(p.SetAlarm(wanted))

    def _retry_start(self) -> None:
        """Have the engine start the actor again if it was to do something by itself."""
        now_ms = time.time_ns() // 1_000_000
        next_ms = self.schedule.next_ms()
        if self._write_interrupted:
            self._emit(p.SetAlarm(now_ms + _RETRY_INTERRUPTED_MS))
        elif next_ms is not None:
            self._emit(p.SetAlarm(max(next_ms, now_ms + _RETRY_START_MS)))

    # Actions

    async def invoke(self, name: str, args: list[Any]) -> str:
        """Run an action and return its result as JSON."""
        action = self._actions.get(name)
        if action is None:
            raise Refusal("action_not_found", f"no action {name!r}")
        checked = action.check(args)
        method = getattr(self._actor, name)
        if action.concurrent:
            with self.hold():
                return action.dump(await self._timed(method, checked))
        return action.dump(await self._perform(method, checked))

    async def _perform(self, method: Callable[..., Awaitable[Any]], args: list[Any]) -> Any:
        """Run a method when no other such one runs, and keep or undo what it did to the state."""
        with self.hold():
            async with self._serial:
                if self._state is None:
                    return await self._timed(method, args)
                try:
                    result = await self._timed(method, args)
                    await self._state.save()
                except BaseException:
                    self._state.revert()
                    raise
                return result

    async def save_state(self) -> None:
        if self._state is not None:
            await self._state.save()

    async def _timed(self, method: Callable[..., Awaitable[Any]], args: list[Any]) -> Any:
        if self._phase is not Phase.RUNNING:
            raise NotRun
        seconds = self.options.action_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await method(*args)
        except TimeoutError:
            if limit.expired():
                raise Refusal("action_timed_out", f"took longer than {seconds:g} s") from None
            raise

    def call(
        self,
        name: str,
        args: list[Any],
        done: Callable[[Outcome], None],
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Run an action for a client in the background; `done` gets its outcome.

        `params` are those of a client that has no connection and is yet to be authorized.
        """
        self.serve(name, lambda: self._output(name, args), done, done, params)

    async def _output(self, name: str, args: list[Any]) -> Outcome:
        return Outcome.success(await self.invoke(name, args))

    def serve(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Outcome], None],
        params: Mapping[str, Any] | None,
    ) -> None:
        """Do something for a client in the background, as `call` does an action."""
        if self._phase is not Phase.RUNNING:
            failed(Outcome.of(NotRun(), self._ids()))
        elif len(self._calls) >= self.options.max_pending_actions:
            failed(Outcome.of(Refusal("overloaded", "too many calls are waiting"), self._ids()))
        else:
            self._track(self._calls, self._serve(name, work, done, failed, params), name)

    async def _serve(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Outcome], None],
        params: Mapping[str, Any] | None,
    ) -> None:
        try:
            if params is not None:
                await self._actor.authorize(params)
            done(await work())
        except asyncio.CancelledError:
            failed(Outcome.of(Refusal("interrupted", "the actor was stopped"), self._ids()))
            raise
        except Exception as error:
            failed(Outcome.of(error, self._ids() | {"action": name}))

    async def request(self, request: Request) -> Response:
        """Have the actor answer plain HTTP."""
        if type(self._actor).on_request is Actor.on_request:
            raise Refusal("not_found", "this actor answers no plain HTTP")
        with self.hold():
            response: Response = await self._timed(self._actor.on_request, [request])
            return response

    # Connections

    def open(self, connection: Connection) -> None:
        """Take a new connection; it counts as activity until it ends."""
        self.audience.add(connection)
        self._idleness.acquire()
        self._track(self._calls, self._admit(connection), "connect")

    async def _admit(self, connection: Connection) -> None:
        try:
            connection.greet()
            if len(self.audience) > self.options.max_connections:
                raise Refusal("overloaded", "too many connections")
            if self._phase is not Phase.RUNNING:
                raise NotRun
            async with asyncio.timeout(self.options.action_timeout.total_seconds()):
                await self._actor.authorize(connection.params)
                await self._actor.on_connect(connection)
        except Exception as error:
            outcome = Outcome.of(error, self._ids())
            connection.post(outcome.frame(None, connection.encoding))
            connection.close(POLICY, f"{outcome.group}.{outcome.code}"[:100])
        else:
            if not connection.closed:
                connection.admit()

    def answer(self, connection: Connection, number: int, name: str, args: list[Any]) -> None:
        """Run an action for a connection."""
        encoding = connection.encoding
        self.call(name, args, lambda outcome: connection.post(outcome.frame(number, encoding)))

    def disconnected(self, connection: Connection) -> None:
        if not self.audience.remove(connection):
            return
        self._idleness.release()
        if connection.admitted and self._failure is None:
            self._track(self._calls, self._say_goodbye(connection), "disconnect")

    async def _say_goodbye(self, connection: Connection) -> None:
        try:
            await self._actor.on_disconnect(connection)
        except Exception:
            log.exception("actor.hook_failed", extra=self._ids())

    def _track(
        self, tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, T], name: str
    ) -> "asyncio.Task[T]":
        task = asyncio.create_task(work, name=f"{self.name}/{'/'.join(self.key)} {name}")
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if self._failure is not None:
            task.cancel()
        return task

    def _emit(self, event: p.ActorEvent) -> None:
        self._envoy.emit(self.id, self.generation, event)

    def _ids(self) -> dict[str, Any]:
        return {"actor": self.name, "actor_id": self.id, "generation": self.generation}
