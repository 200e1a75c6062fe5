"""One WebSocket to one actor, shared by the calls and subscriptions of a client."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from pyrivet import _wire
from pyrivet._backoff import Backoff
from pyrivet._dial import NOT_OPENED, dial, explained, raise_if_hopeless, reason
from pyrivet._quick_ack import acknowledge
from pyrivet._subscription import Subscription
from pyrivet.errors import (
    ActionError,
    CallInterrupted,
    DeadlineExceeded,
    EventsLost,
    ProtocolError,
    RivetError,
    Unreachable,
)

log = logging.getLogger("pyrivet")

_STABLE_SECONDS = 5.0


class _NotRun(Exception):
    """The actor is stopping, or the socket closing, and the call has not run."""


class Link:
    """Connects when somebody needs it, and again when it breaks; closes when idle."""

    def __init__(
        self,
        url: str,
        params: Callable[[], Mapping[str, Any]],
        *,
        creates: bool,
        idle: timedelta,
        on_closed: Callable[[], object],
    ) -> None:
        self._url = url
        self._params = params
        self._creates = creates
        self._idle = idle
        self._on_closed = on_closed
        self._keeper: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[ClientConnection] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._last_call = 0
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._users = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._last_error = "no connection yet"
        self._actor_id = ""

    @property
    def closed(self) -> bool:
        """Whether nothing is under way or open."""
        return self._keeper is None and not self._users

    async def call(self, name: str, args: tuple[Any, ...], seconds: float, retry: bool) -> Any:
        """Run an action; see `ActorHandle.call`."""
        deadline, sent = asyncio.get_running_loop().time() + seconds, False
        backoff = Backoff(0.02, 1.0)
        with self._in_use():
            while True:
                try:
                    socket = await self._connected(deadline)
                    return await self._call_once(socket, name, args, deadline)
                except _NotRun:
                    self._last_error = "the actor is stopping"
                except CallInterrupted as error:
                    if not retry:
                        raise
                    self._last_error, sent = str(error), True
                except Unreachable as error:
                    if sent:
                        raise DeadlineExceeded(str(error)) from error
                    raise
                if asyncio.get_running_loop().time() > deadline:
                    raise (DeadlineExceeded if sent else Unreachable)(
                        f"{name}: {explained(self._last_error)}"
                    )
                await asyncio.sleep(backoff.delay())

    async def actor_id(self, seconds: float) -> str:
        """Return the id of the actor at the other end; raises as `call` does."""
        with self._in_use():
            await self._connected(asyncio.get_running_loop().time() + seconds)
            return self._actor_id

    async def subscribe(self, subscription: Subscription, seconds: float) -> None:
        """Deliver an event to `subscription` until `unsubscribe`; raises as `call` does."""
        deadline = asyncio.get_running_loop().time() + seconds
        with self._in_use():
            while True:
                socket = await self._connected(deadline)
                wanting = self._subscriptions.setdefault(subscription.event, set())
                wanting.add(subscription)
                try:
                    if len(wanting) == 1:
                        await socket.send(_wire.subscription(subscription.event, True), text=True)
                except ConnectionClosed:
                    self._forget(subscription)
                    await asyncio.sleep(0)  # let the keeper notice
                except BaseException:
                    self._forget(subscription)
                    raise
                else:
                    self._users += 1
                    return

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Stop to deliver; undoes one `subscribe`."""
        try:
            if self._forget(subscription) and self._opened is not None and self._opened.done():
                socket = self._opened.result()
                await socket.send(_wire.subscription(subscription.event, False), text=True)
        except (ConnectionClosed, RivetError):
            pass  # no connection: nothing comes on it
        finally:
            self._leave()

    async def aclose(self) -> None:
        """Disconnect; calls under way raise CallInterrupted."""
        keepers = [*self._ending] if self._keeper is None else [*self._ending, self._keeper]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        if self._idle_timer is not None:
            self._idle_timer.cancel()

    async def _call_once(
        self, socket: ClientConnection, name: str, args: tuple[Any, ...], deadline: float
    ) -> Any:
        if socket.state is not State.OPEN:
            raise _NotRun
        self._last_call = number = self._last_call + 1
        frame = _wire.action_request(number, name, args)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        try:
            async with asyncio.timeout_at(deadline):
                await socket.send(frame, text=True)
                return await answer
        except ConnectionClosed as error:
            # Even a failed send may have handed its bytes to the network.
            raise _lost(error.rcvd.reason if error.rcvd is not None else None) from None
        except TimeoutError:
            raise DeadlineExceeded(f"{name}: no answer in time") from None
        finally:
            self._calls.pop(number, None)

    async def _connected(self, deadline: float) -> ClientConnection:
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._keeper = asyncio.create_task(self._keep(), name="pyrivet-link")
        if self._opened.done():
            return self._opened.result()
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(self._opened)
        except TimeoutError:
            raise Unreachable(explained(self._last_error)) from None

    async def _keep(self) -> None:
        """Stay connected as long as there are users."""
        backoff = Backoff(0.02, 1.0)
        loop = asyncio.get_running_loop()
        outcome: RivetError = CallInterrupted("the client was closed")
        try:
            while True:
                began = loop.time()
                try:
                    await self._serve()
                except NOT_OPENED as error:
                    self._last_error = reason(error)
                    raise_if_hopeless(self._last_error, creates=self._creates)
                except _NotRun:
                    self._last_error = "the actor is stopping"
                except ProtocolError as error:
                    self._last_error = str(error)
                    log.warning("client.invalid_frame", extra={"reason": str(error)})
                if not self._users:
                    return
                if loop.time() - began > _STABLE_SECONDS:
                    backoff.reset()
                await asyncio.sleep(backoff.delay())
        except RivetError as error:
            outcome = error
        finally:
            self._end(outcome)

    async def _serve(self) -> None:
        async with dial(self._url, self._params(), _wire.ENCODING) as socket:
            self._actor_id = _check_greeting(await socket.recv())
            for name in list(self._subscriptions):
                await socket.send(_wire.subscription(name, True), text=True)
            # Whoever subscribed on an earlier connection has missed what came in between.
            self._report(EventsLost("the connection broke"))
            assert self._opened is not None
            self._opened.set_result(socket)
            try:
                async for frame in socket:
                    acknowledge(socket)
                    self._receive(frame)
            finally:
                if asyncio.current_task() is self._keeper:
                    self._opened = asyncio.get_running_loop().create_future()
                    self._fail_calls(_lost(socket.close_reason))
                self._last_error = socket.close_reason or "the connection broke"

    def _receive(self, frame: str | bytes) -> None:
        tag, value = _wire.read_frame(frame)
        match tag, value:
            case "ActionResponse", {"id": int(number)}:
                answer = self._calls.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(value.get("output"))
            case "Event", {"name": str(name), "args": list(args)}:
                for subscription in self._subscriptions.get(name, ()):
                    subscription.deliver(args)
            case "Error", {"actionId": int(number)}:
                answer = self._calls.get(number)
                if answer is not None and not answer.done():
                    answer.set_exception(_error(value))

    def _end(self, outcome: RivetError) -> None:
        if asyncio.current_task() is not self._keeper:
            return  # closed because nobody used it
        opened, self._opened, self._keeper = self._opened, None, None
        if opened is not None and not opened.done():
            opened.set_exception(outcome)
            opened.exception()  # nobody may be waiting
        self._fail_calls(outcome)
        self._report(outcome)
        if not self._users:
            self._on_closed()

    def _fail_calls(self, error: Exception) -> None:
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(error)

    def _report(self, error: RivetError) -> None:
        for wanting in self._subscriptions.values():
            for subscription in wanting:
                subscription.report(error)

    def _forget(self, subscription: Subscription) -> bool:
        """Stop to deliver; returns whether nobody wants that event any more."""
        wanting = self._subscriptions.get(subscription.event, set())
        wanting.discard(subscription)
        return not wanting and self._subscriptions.pop(subscription.event, None) is not None

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self._users -= 1
        self._idle_since = asyncio.get_running_loop().time()
        if not self._users and self._idle_timer is None:
            self._close_when_idle()

    def _close_when_idle(self) -> None:
        """Close if nobody has used the link for the idle time, otherwise look again later."""
        loop = asyncio.get_running_loop()
        self._idle_timer = None
        left = self._idle_since + self._idle.total_seconds() - loop.time()
        if self._users:
            return
        if left > 0 and self._keeper is not None:
            self._idle_timer = loop.call_later(left, self._close_when_idle)
            return
        if self._keeper is not None:
            self._keeper.cancel()
            self._ending.add(self._keeper)
            self._keeper.add_done_callback(self._ending.discard)
            # A call that comes now must not find the socket that is about to close.
            self._keeper = self._opened = None
        self._on_closed()


def _check_greeting(frame: str | bytes) -> str:
    """Return the actor's id, or raise what the actor refused the connection with."""
    tag, value = _wire.read_frame(frame)
    if tag == "Error":
        raise _error(value)
    if tag != "Init":
        raise ProtocolError(f"{tag} came before Init")
    return str(value["actorId"])


def _lost(close_reason: str | None) -> Exception:
    """Return what became of calls without an answer when their connection closed."""
    return _NotRun() if close_reason == _wire.DRAINED else CallInterrupted("the connection broke")


def _error(value: Mapping[str, Any]) -> Exception:
    code, message = str(value.get("code")), str(value.get("message"))
    if value.get("group") == "actor":
        if code == "stopping":
            return _NotRun()
        if code == "interrupted":
            return CallInterrupted(message)
    return ActionError(code, message, value.get("metadata"))
