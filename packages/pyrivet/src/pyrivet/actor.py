"""The base class of actors."""

import asyncio
import inspect
import sys
from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from pyrivet._connection import Connection
    from pyrivet._database import Database
    from pyrivet._kv import KeyValue
    from pyrivet._queue import Queue
    from pyrivet._raw import Request, Response
    from pyrivet._runtime import ActorRun
    from pyrivet._schedule import Schedule
    from pyrivet._websocket import WebSocket
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
    """How long actions and hooks may take to finish when the actor is stopped.

    Actions that have not begun by then go to the next generation, others are cancelled.
    """
    max_pending_actions: int = 1_000
    """Actions running or waiting; more are refused with `overloaded`."""
    max_connections: int = 1_000
    """Clients connected at once; more are refused with `overloaded`."""
    max_queued: int = 10_000
    """Messages waiting in all queues together; more are refused with `queue_full`."""
    max_message_bytes: int = 4 << 20
    """Longer messages from clients are refused."""
    hibernate: bool = False
    """Whether the actor may sleep while clients are connected.

    They stay connected then, and while it moves to another worker; a message wakes it. What
    it keeps in memory is gone as at every sleep, `on_connect` and `on_disconnect` do not run.
    """
    write_timeout: timedelta = timedelta(seconds=30)
    """A client that takes nothing of what waits for it for this long is dropped."""
    max_unsent_events: int = 1_024
    """A connection with more messages waiting to be sent is dropped."""


class Actor:
    """A durable unit with identity, database and actions; see the package's README.

    An instance lives for one generation: from a start to the next sleep, move or crash. Only
    what is in the database survives that. Attributes other than `options` are there from
    `on_create` on, not yet in `__init__`.

    A subclass may declare `state: SomeModel`, a pydantic model. It is there from `on_create` on,
    and saved when it has changed: after the hooks that start the actor, `on_alarm`, and each
    action or message of a queue, before anybody learns the result. If one of those fails, the
    state is again as it was before. Do not change it in `concurrent` actions. It must fit into
    127 KiB of JSON.
    """

    options: ClassVar[ActorOptions] = ActorOptions()

    # Two underscores, so that no attribute of a subclass can hide it.
    __attached: "ActorRun | None" = None

    async def create_state(self) -> BaseModel:
        """Return the first state of a new actor; by default the model's default values."""
        model = state_model(type(self))
        if model is None:
            raise TypeError(f"{type(self).__name__} declares no `state`")
        return model()

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

    async def on_websocket(self, socket: "WebSocket") -> None:
        """Talk over a plain WebSocket to `/websocket/{path}`, which is closed at the end.

        Runs beside actions, as work in the background does, for as long as the client stays. By
        default such sockets are refused.
        """
        raise NotImplementedError

    async def on_alarm(self) -> None:
        """Run when the time of `self.schedule.set_alarm` has come."""

    async def on_request(self, request: "Request") -> "Response":
        """Answer plain HTTP to `/request/{path}`; runs beside actions. By default 404.

        `ActorOptions.action_timeout` is for this method, not for an answer that is streamed.
        """
        raise NotImplementedError

    @property
    def id(self) -> str:
        """The engine's id of this actor."""
        return self.__run.id

    @property
    def name(self) -> str:
        """Under which the worker hosts this kind of actor."""
        return self.__run.name

    @property
    def key(self) -> tuple[str, ...]:
        """The parts by which it was got or created."""
        return self.__run.key

    @property
    def input(self) -> Any:
        """What get-or-create passed when the actor was made; None without."""
        return self.__run.input

    @property
    def generation(self) -> int:
        """1 at the first start, one more at each start."""
        return self.__run.generation

    @property
    def db(self) -> "Database":
        """Its SQLite database."""
        return self.__run.db

    @property
    def kv(self) -> "KeyValue":
        """Its key-value store."""
        return self.__run.kv

    @property
    def schedule(self) -> "Schedule":
        """Its alarms."""
        return self.__run.schedule

    @property
    def client(self) -> "Client":
        """The worker's client, to call other actors."""
        return self.__run.client

    @property
    def connections(self) -> "list[Connection]":
        """Connections that have been admitted and are open."""
        return self.__run.audience.admitted()

    async def broadcast(self, name: str, *args: Any) -> None:
        """Send an event to every connection that subscribed to it; waits for none of them."""
        self.__run.audience.broadcast(name, args)

    def queue(self, name: str) -> "Queue":
        """Return one of this actor's queues, to add messages; ValueError for an unknown name."""
        return self.__run.queues.named(name)

    async def save_state(self) -> None:
        """Save `state` now if it has changed; only `spawn`ed work needs this."""
        await self.__run.save_state()

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> "asyncio.Task[T]":
        """Run something in the background.

        The actor stays awake until it ends and it is cancelled when the actor stops. If the
        worker dies meanwhile, the actor is started again without waiting for a request, so that
        `on_start` can go on with what was under way. Its failure is logged.
        """
        return self.__run.spawn(work, name)

    def sleep(self) -> None:
        """Ask to sleep now, as after idleness; calls under way are answered first."""
        self.__run.sleep()

    def destroy(self) -> None:
        """Ask to be removed for good, with the database; calls under way are answered first."""
        self.__run.destroy()

    def keep_awake(self) -> AbstractContextManager[None]:
        """Return a context in which the actor does not go to sleep."""
        return self.__run.hold()

    @property
    def __run(self) -> "ActorRun":
        if self.__attached is None:
            raise RuntimeError("an actor can be used from on_create on, when a worker runs it")
        return self.__attached


def attach(actor: Actor, run: "ActorRun") -> None:
    """Connect an actor with what runs it; for this package only."""
    object.__setattr__(actor, "_Actor__attached", run)


def state_model(cls: type[Actor]) -> type[BaseModel] | None:
    """Return the model that a class declares for its state; TypeError if it is none."""
    for base in cls.__mro__:
        hint = inspect.get_annotations(base).get("state")
        if isinstance(hint, str):
            hint = eval(hint, vars(sys.modules[base.__module__]))  # noqa: S307 - source code
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return hint
        if hint is not None:
            raise TypeError(f"{base.__name__}.state must be annotated with a pydantic model")
    return None
