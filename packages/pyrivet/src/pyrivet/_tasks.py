"""The asyncio tasks of one generation of an actor."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger("pyrivet")

_CANCEL_SECONDS = 5.0


class Tasks:
    """Calls, which a stopping actor finishes first, and work, which it cancels."""

    def __init__(self, label: str, ids: Mapping[str, Any]) -> None:
        self.calls: set[asyncio.Task[Any]] = set()
        self.work: set[asyncio.Task[Any]] = set()
        self._talks: set[asyncio.Task[Any]] = set()
        self.accepting = False
        """Whether the actor runs and takes calls."""
        self.abandoned = False
        self._label = label
        self._ids = ids

    def start_call(self, call: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        return self._start(self.calls, call, name)

    def start_talk(self, talk: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Start a call that is not counted as one, as it may last for as long as its client."""
        return self._start(self._talks, talk, name)

    def start_work(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Start something whose failure nobody waits for: it is logged."""
        task = self._start(self.work, work, name)
        task.add_done_callback(self._work_done)
        return task

    def abandon(self) -> None:
        """Cancel everything, and whatever is started from now on."""
        self.abandoned = True
        current = asyncio.current_task()
        for task in [*self.calls, *self._talks, *self.work]:
            if task is not current:
                task.cancel()

    async def finish_calls(self, seconds: float) -> None:
        if under_way := self.calls | self._talks:
            await asyncio.wait(under_way, timeout=seconds)

    async def cancel_all(self) -> None:
        """Cancel everything and wait: the next generation must find nothing of this one."""
        while tasks := [*self.calls, *self._talks, *self.work]:
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
            if left:
                names = [task.get_name() for task in left]
                log.error("actor.ignores_cancellation", extra={**self._ids, "tasks": names})

    def _start(
        self, tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, T], name: str
    ) -> "asyncio.Task[T]":
        task = asyncio.create_task(work, name=f"{self._label} {name}")
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        if self.abandoned:
            task.cancel()
        return task

    def _work_done(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None:
            extra = {**self._ids, "task": task.get_name()}
            log.error("actor.work_failed", extra=extra, exc_info=task.exception())


class Chore:
    """Something that runs when there is a reason, never twice at once; keeps the actor awake."""

    def __init__(
        self,
        tasks: Tasks,
        hold: Callable[[], AbstractContextManager[None]],
        work: Callable[[], Awaitable[None]],
        name: str,
    ) -> None:
        self._tasks = tasks
        self._hold = hold
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, or leave it to the one that is running."""
        if self._task is None:
            self._task = self._tasks.start_call(self._run(), self._name)

    async def _run(self) -> None:
        try:
            with self._hold():
                await self._work()
        finally:
            self._task = None
