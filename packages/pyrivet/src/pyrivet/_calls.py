"""Runs what an actor's author wrote, for clients, alarms and queues."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pyrivet._actions import Action
from pyrivet._outcome import NotRun, Outcome, Refusal
from pyrivet._raw import Request, Response
from pyrivet._schedule import ON_ALARM
from pyrivet._state import State
from pyrivet._tasks import Tasks
from pyrivet.actor import Actor
from pyrivet.errors import DatabaseInterrupted

T = TypeVar("T")


class Calls:
    """The actions of one actor, one at a time unless marked otherwise."""

    def __init__(
        self,
        actor: Actor,
        actions: Mapping[str, Action],
        state: State | None,
        tasks: Tasks,
        *,
        hold: Callable[[], AbstractContextManager[None]],
        ids: Mapping[str, Any],
    ) -> None:
        self._actor = actor
        self._actions = actions
        self._state = state
        self._tasks = tasks
        self._hold = hold
        self._ids = ids
        self._serial = asyncio.Lock()

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
        self.serve(name, lambda: self.output(name, args), done, done, params)

    def serve(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Outcome], None],
        params: Mapping[str, Any] | None,
    ) -> None:
        """Do something for a client in the background, as `call` does an action."""
        if not self._tasks.accepting:
            failed(Outcome.of(NotRun(), self._ids))
        elif len(self._tasks.calls) >= self._actor.options.max_pending_actions:
            failed(Outcome.of(Refusal("overloaded", "too many calls are waiting"), self._ids))
        else:
            self._tasks.start_call(self._serve(name, work, done, failed, params), name)

    async def output(self, name: str, args: list[Any]) -> Outcome:
        """Run an action."""
        return Outcome.success(await self._invoke(name, args))

    async def request(self, request: Request) -> Response:
        """Have the actor answer plain HTTP."""
        if type(self._actor).on_request is Actor.on_request:
            raise Refusal("not_found", "this actor answers no plain HTTP")
        response: Response = await self._timed(self._actor.on_request, [request])
        return response

    async def alarm(self, name: str, args: list[Any]) -> None:
        """Run the action of an alarm that is due."""
        try:
            if name == ON_ALARM:
                await self._perform(self._actor.on_alarm, [])
            else:
                await self._invoke(name, args)
        except (NotRun, DatabaseInterrupted):
            raise asyncio.CancelledError from None  # the alarm stays for the next generation

    async def message(self, handler: Action, body: Any) -> Outcome:
        """Handle a message of a queue."""
        try:
            [checked] = handler.check([body])
            method = getattr(self._actor, handler.name)
            return Outcome.success(handler.dump(await self._perform(method, [checked])))
        except (NotRun, DatabaseInterrupted):
            raise asyncio.CancelledError from None  # the message stays for the next generation
        except Exception as error:
            return Outcome.of(error, {**self._ids, "queue_handler": handler.name})

    async def _serve(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Outcome], None],
        params: Mapping[str, Any] | None,
    ) -> None:
        try:
            with self._hold():
                if params is not None:
                    await self._actor.authorize(params)
                done(await work())
        except asyncio.CancelledError:
            failed(Outcome.of(Refusal("interrupted", "the actor was stopped"), self._ids))
            raise
        except Exception as error:
            failed(Outcome.of(error, {**self._ids, "action": name}))

    async def _invoke(self, name: str, args: list[Any]) -> str:
        """Run an action and return its result as JSON."""
        action = self._actions.get(name)
        if action is None:
            raise Refusal("action_not_found", f"no action {name!r}")
        checked = action.check(args)
        method = getattr(self._actor, name)
        if action.concurrent:
            return action.dump(await self._timed(method, checked))
        return action.dump(await self._perform(method, checked))

    async def _perform(self, method: Callable[..., Awaitable[Any]], args: list[Any]) -> Any:
        """Run a method when no other such one runs, and keep or undo what it did to the state."""
        try:
            await self._serial.acquire()
        except asyncio.CancelledError:
            raise NotRun from None  # the actor stops, and its time to finish is over
        try:
            result = await self._timed(method, args)
            if self._state is not None:
                await self._state.save()
            return result
        except BaseException:
            if self._state is not None:
                self._state.revert()
            raise
        finally:
            self._serial.release()

    async def _timed(self, method: Callable[..., Awaitable[Any]], args: list[Any]) -> Any:
        seconds = self._actor.options.action_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await method(*args)
        except TimeoutError:
            if limit.expired():
                raise Refusal("action_timed_out", f"took longer than {seconds:g} s") from None
            raise
