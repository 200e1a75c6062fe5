"""The base class of actors."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from pyrivet._connection import Connection
    from pyrivet._database import Database
    from pyrivet._kv import KeyValue
    from pyrivet._runtime import ActorRun
    from pyrivet._schedule import Schedule
    from pyrivet.client import Client

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ActorOptions:
    """How actors of a class behave."""

    sleep_after: timedelta | None = timedelta(seconds=30)
    """Sleep when nothing has happened for this long; None: never by itself."""
    action_timeout: timedelta = timedelta(seconds=60)
    """An action running longer is cancelled and fails with `action_timed_out`."""
    stop_grace: timedelta = timedelta(seconds=10)
    """How long running actions and hooks may take to finish when the actor is stopped."""
    max_pending_actions: int = 1_000
    """Actions running or waiting; more are refused with `overloaded`."""
    max_connections: int = 1_000
    max_message_bytes: int = 4 << 20
    """Longer messages from clients are refused."""
    max_unsent_events: int = 1_024
    """A connection with more messages waiting to be sent is dropped."""


class Actor:
    """A durable unit with identity, database and actions; see the package's README.

    An instance lives for one generation: from a start to the next sleep, move or crash. Only
    what is in the database survives that. Attributes other than `options` are there from
    `on_create` on, not yet in `__init__`.
    """

    options: ClassVar[ActorOptions] = ActorOptions()

    _attached: "ActorRun | None" = None

    async def on_create(self) -> None:
        """Run before the first start; again if it did not finish, so make it repeatable."""

    async def on_start(self) -> None:
        """Run each time the actor starts, before any action."""

    async def on_sleep(self) -> None:
        """Run before the actor sleeps or moves to another worker; not after a crash."""

    async def on_destroy(self) -> None:
        """Run before the actor and its database are removed for good."""

    async def authorize(self, params: Mapping[str, Any]) -> None:
        """Decide whether a client may use this actor: raise ActionError to refuse.

        Called for each connection and each HTTP request with what the client gave as connection
        parameters. Anyone may who can reach the engine, unless this says otherwise.
        """

    async def on_connect(self, conn: "Connection") -> None:
        """Run for each new connection, before its first action: raise ActionError to refuse."""

    async def on_disconnect(self, conn: "Connection") -> None:
        """Run after a connection has ended."""

    @property
    def id(self) -> str:
        """The engine's id of this actor."""
        return self._run.id

    @property
    def name(self) -> str:
        """Under which the worker hosts this kind of actor."""
        return self._run.name

    @property
    def key(self) -> tuple[str, ...]:
        return self._run.key

    @property
    def input(self) -> Any:
        """What get-or-create passed when the actor was made; None without."""
        return self._run.input

    @property
    def generation(self) -> int:
        """1 at the first start, one more at each start."""
        return self._run.generation

    @property
    def db(self) -> "Database":
        return self._run.db

    @property
    def kv(self) -> "KeyValue":
        return self._run.kv

    @property
    def schedule(self) -> "Schedule":
        return self._run.schedule

    @property
    def client(self) -> "Client":
        """The worker's client, to call other actors."""
        return self._run.client

    @property
    def connections(self) -> "list[Connection]":
        """Connections that have been admitted and are open."""
        return self._run.connections()

    async def broadcast(self, name: str, *args: Any) -> None:
        """Send an event to every connection that subscribed to it; waits for none of them."""
        self._run.broadcast(name, args)

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> "asyncio.Task[T]":
        """Run something in the background.

        The actor stays awake until it ends and it is cancelled when the actor stops. If the
        worker dies meanwhile, the actor is started again without waiting for a request, so that
        `on_start` can go on with what was under way. Its failure is logged.
        """
        return self._run.spawn(work, name)

    def keep_awake(self) -> AbstractContextManager[None]:
        """Return a context in which the actor does not go to sleep."""
        return self._run.hold()

    @property
    def _run(self) -> "ActorRun":
        if self._attached is None:
            raise RuntimeError("an actor can be used from on_create on, when a worker runs it")
        return self._attached
