"""One WebSocket to one actor, shared by the calls and subscriptions of a client."""

import asyncio
import json
import logging
import socket as socket_module
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from socket import IPPROTO_TCP
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.protocol import State
from websockets.typing import Subprotocol

from pyrivet import _wire
from pyrivet._backoff import Backoff
from pyrivet._subscription import Subscription
from pyrivet.errors import (
    ActionError,
    ActorNotFound,
    CallInterrupted,
    DeadlineExceeded,
    EventsLost,
    ProtocolError,
    RivetError,
    Unreachable,
)

log = logging.getLogger("pyrivet")

_MAX_FRAME_BYTES = 32 << 20
# Opening may include waking the actor, for which the engine allows 30 s.
_OPEN_SECONDS = 35.0
_STABLE_SECONDS = 5.0
_QUICK_ACK: int | None = getattr(socket_module, "TCP_QUICKACK", None)  # Linux only
_HOPELESS = {"actor.key_too_large", "guard.query_invalid_params", "namespace.not_found"}


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
    def _protocols(self) -> list[Subprotocol]:
        protocols = [Subprotocol("rivet"), Subprotocol(_wire.ENCODING)]
        if params := self._params():
            protocols.append(Subprotocol(_wire.quote_params(params)))
        return protocols

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
                    raise (DeadlineExceeded if sent else Unreachable)(f"{name}: {self._last_error}")
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
            raise Unreachable(self._last_error) from None

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
                except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError) as error:
                    self._last_error = _reason(error)
                    self._raise_if_hopeless()
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
        async with connect(
            self._url,
            subprotocols=self._protocols,
            compression=None,
            proxy=None,
            max_size=_MAX_FRAME_BYTES,
            max_queue=256,
            open_timeout=_OPEN_SECONDS,
            close_timeout=1,
        ) as socket:
            self._actor_id = _check_greeting(await socket.recv())
            for name in list(self._subscriptions):
                await socket.send(_wire.subscription(name, True), text=True)
            # Whoever subscribed on an earlier connection has missed what came in between.
            self._report(EventsLost("the connection broke"))
            assert self._opened is not None
            self._opened.set_result(socket)
            try:
                async for frame in socket:
                    _acknowledge(socket)
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

    def _raise_if_hopeless(self) -> None:
        code = self._last_error.partition("#")[0].partition(":")[0]
        if code == "actor.not_found" and not self._creates:
            raise ActorNotFound("no such actor")
        if code in _HOPELESS:
            raise RivetError(self._last_error)

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


def _acknowledge(socket: ClientConnection) -> None:
    """Have the kernel acknowledge what has come at once.

    The engine's sockets hold a small frame back until the one before is acknowledged (Nagle),
    and the kernel would wait 40 ms for data to send along: an answer behind an event took 48 ms
    instead of 4. Linux forgets the option again, so it is set for each frame.
    """
    raw = socket.transport.get_extra_info("socket")
    if raw is not None and _QUICK_ACK is not None:
        with suppress(OSError):
            raw.setsockopt(IPPROTO_TCP, _QUICK_ACK, 1)


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


def _reason(error: Exception) -> str:
    """Return the engine's code for why a connection failed, such as `actor.not_found`."""
    if isinstance(error, InvalidStatus):
        try:
            body = json.loads(error.response.body or b"")
            return f"{body['group']}.{body['code']}: {body['message']}"
        except (ValueError, TypeError, KeyError):
            return str(error)
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return error.rcvd.reason
    return str(error) or repr(error)
