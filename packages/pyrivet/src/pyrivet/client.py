"""Calls actors from anywhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection

from pyrivet import _wire
from pyrivet._dial import dial_until
from pyrivet._link import Link
from pyrivet._management import destroy_actor
from pyrivet._place import ById, ByKey, Gateway, Place, checked_endpoint, checked_key
from pyrivet._request import Requests
from pyrivet._subscription import Subscription
from pyrivet._typed import Signature
from pyrivet.errors import DeadlineExceeded

P = ParamSpec("P")
T = TypeVar("T")

ConnParams = Mapping[str, Any] | Callable[[], Mapping[str, Any]]

_CALL_TIMEOUT = timedelta(seconds=60)
_QUEUE_SIZE = 1_000
# An actor itself says when the wait for a message is over.
_WAIT_GRACE_SECONDS = 5.0


class Client:
    """Gives handles on actors and shares one WebSocket per actor between them.

    Args:
        endpoint: the engine, such as `http://127.0.0.1:6420`.
        namespace: where the actors live.
        pool: of the workers that run them.
        conn_params: reaches `Actor.authorize` and `Connection.params`; must fit in JSON. A
            function is asked anew for each connection and request: for short-lived credentials.
        token: the engine's admin token, only needed for `ActorHandle.destroy`.
        idle: a WebSocket without calls and subscribers is closed after this long, so that its
            actor may sleep.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        namespace: str = "default",
        pool: str = "default",
        conn_params: ConnParams | None = None,
        token: str | None = None,
        idle: timedelta = timedelta(seconds=60),
    ) -> None:
        self._gateway = Gateway(checked_endpoint(endpoint), namespace, pool)
        given = conn_params or {}
        self._conn_params = given if callable(given) else lambda: given
        self._requests = Requests(self._gateway.endpoint, self._conn_params)
        self._token = token
        self._idle = idle
        self._links: dict[Place, Link] = {}

    def get_or_create(self, name: str, key: Sequence[str], *, input: Any = None) -> "ActorHandle":  # noqa: A002
        """Return a handle on an actor that the first call makes if it does not exist.

        `input` is for a new actor only and must fit in CBOR. Nothing is sent yet. A part of the
        key is not empty and has no comma in it: ValueError.
        """
        return ActorHandle(self, ByKey(name, checked_key(key), create=True, input=input))

    def get(self, name: str, key: Sequence[str]) -> "ActorHandle":
        """Return a handle on an existing actor; calls raise ActorNotFound without it."""
        return ActorHandle(self, ByKey(name, checked_key(key), create=False))

    def get_for_id(self, actor_id: str) -> "ActorHandle":
        """Return a handle on an existing actor by its `Actor.id`; see `get`."""
        return ActorHandle(self, ById(actor_id))

    async def aclose(self) -> None:
        """Close all connections; calls under way raise CallInterrupted."""
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.aclose() for link in links), self._requests.aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _link(self, place: Place) -> Link:
        link = self._links.get(place)
        if link is None:
            link = Link(
                self._gateway.url(place, "/connect", scheme="ws"),
                self._conn_params,
                creates=isinstance(place, ByKey) and place.create,
                idle=self._idle,
                on_closed=lambda: self._forget(place),
            )
            self._links[place] = link
        return link

    def _forget(self, place: Place) -> None:
        link = self._links.get(place)
        if link is not None and link.closed:
            del self._links[place]


@dataclass(frozen=True, eq=False)
class ActorHandle:
    """A place to send calls to; made by a Client."""

    client: Client
    place: Place

    async def call(
        self,
        action: str,
        *args: Any,
        timeout: timedelta = _CALL_TIMEOUT,
        retry: bool = False,
        over_http: bool = False,
    ) -> Any:
        """Run an action and return its result.

        Connects, and connects again while the actor cannot be reached, until `timeout`. A call
        that broke off after it was sent is only repeated with `retry`: give that for actions
        that may run twice.

        Calls share one WebSocket to the actor. With `over_http` the call is one HTTP request
        instead: for a single call to an actor, or where WebSockets do not pass. Such calls may
        overtake each other.

        Raises:
            ActionError: the actor refused or failed.
            Unreachable: not sent in time.
            DeadlineExceeded: sent, but no answer in time.
            CallInterrupted: broke off after it was sent; it may have run.
            ActorNotFound: no such actor, with a handle that does not create it.
        """
        seconds = timeout.total_seconds()
        if not over_http:
            return await self._link().call(action, args, seconds, retry)
        url = self._url(f"/action/{quote(action, safe='')}")
        content = f'{{"args":{_wire.dump(list(args))}}}'
        answer = await self.client._requests.post(url, content, seconds=seconds, retry=retry)
        return answer.get("output")

    def action(
        self,
        method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
        *,
        timeout: timedelta = _CALL_TIMEOUT,
        retry: bool = False,
        over_http: bool = False,
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return an action of the actor as a function with the types of its method.

        `await handle.action(Counter.increment)(1)` does what `call("increment", 1)` does; a type
        checker knows arguments and result, and the result is made what the method's annotation
        says, such as a pydantic model. TypeError for a method that is no action. The function
        raises as `call` does, and ProtocolError for a result of another type.
        """
        signature = Signature.of(method)

        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.positional(args, kwargs)
            result = await self.call(
                signature.name, *given, timeout=timeout, retry=retry, over_http=over_http
            )
            returned: T = signature.result(result)
            return returned

        return run

    async def send(
        self, queue: str, body: Any, *, wait: bool = False, timeout: timedelta = _CALL_TIMEOUT
    ) -> Any:
        """Add a message to a queue of the actor; it is durable on return.

        With `wait`, return what its handler answered. A message is handled at least once.

        Raises:
            ActionError: the actor or, with `wait`, the handler refused.
            Unreachable: not sent in time.
            DeadlineExceeded: no answer in time; the message may be in the queue, and with `wait`
                most likely is.
            CallInterrupted: the connection broke; the message may be in the queue.
            ActorNotFound: no such actor, with a handle that does not create it.
        """
        seconds = timeout.total_seconds()
        content = json.dumps({"wait": wait, "timeout": round(seconds * 1000)})
        answer = await self.client._requests.post(
            self._url(f"/queue/{quote(queue, safe='')}"),
            f'{content[:-1]},"body":{_wire.dump(body)}}}',
            seconds=seconds + (_WAIT_GRACE_SECONDS if wait else 0),
        )
        if answer.get("status") == "timedOut":
            raise DeadlineExceeded(f"{queue}: not handled in time; the message is kept")
        return answer.get("response")

    def subscribe(self, event: str, *, max_queued: int = _QUEUE_SIZE) -> Subscription:
        """Return an async context manager that yields an iterator over an event's arguments.

        Inside it, every event from then on is delivered or EventsLost raised in its place: when
        more than `max_queued` wait, or after a reconnect. Iteration may go on after that, but not
        after another error: the actor then refuses this client, or is gone. Calls made inside
        reach the actor after the subscription did.
        """
        return Subscription(self._link, event, max_queued)

    async def fetch(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | str | AsyncIterator[bytes] | None = None,
        timeout: timedelta = _CALL_TIMEOUT,
    ) -> httpx.Response:
        """Send plain HTTP to `Actor.on_request` and return its whole answer; see `stream`."""
        answering = self.stream(path, method=method, headers=headers, body=body, timeout=timeout)
        async with answering as response:
            await response.aread()
            return response

    def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | str | AsyncIterator[bytes] | None = None,
        timeout: timedelta = _CALL_TIMEOUT,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send plain HTTP to `Actor.on_request`; yields the answer while it still comes in.

        Iterate over `aiter_bytes()` or `aiter_lines()` of the response. `path` may have a query.
        The answer must begin before `timeout`; how long it goes on is up to the actor. Whatever
        status the actor answers is returned.

        Raises:
            Unreachable: not sent in time. A `body` that is an iterator is sent once at most.
            DeadlineExceeded: sent, but the answer did not begin in time.
            CallInterrupted: broke off after it was sent, also while the answer was read.
            ActorNotFound: no such actor, with a handle that does not create it.
        """
        path, _, query = path.removeprefix("/").partition("?")
        return self.client._requests.stream(
            method,
            self.client._gateway.url(self.place, f"/request/{path}", query=query),
            headers=headers or {},
            content=body,
            seconds=timeout.total_seconds(),
        )

    @asynccontextmanager
    async def websocket(
        self, path: str, *, timeout: timedelta = _CALL_TIMEOUT
    ) -> AsyncIterator[ClientConnection]:
        """Open a plain WebSocket to `Actor.on_websocket`; yields a connection of `websockets`.

        Tries again until the engine answers or `timeout` is over: Unreachable. Once it is open it
        does not connect again: `ConnectionClosed` of `websockets` says how it ended. The engine
        answers before it has reached the actor, so that is also how to hear that it could not,
        with a reason such as `actor.not_found`. `path` may have a query.
        """
        path, _, query = path.removeprefix("/").partition("?")
        client = self.client
        url = client._gateway.url(self.place, f"/websocket/{path}", scheme="ws", query=query)
        socket = await dial_until(url, client._conn_params, timeout.total_seconds())
        async with socket:
            yield socket

    async def resolve(self, *, timeout: timedelta = _CALL_TIMEOUT) -> str:
        """Return the actor's id, for `Client.get_for_id`; raises as `call` does."""
        return await self._link().actor_id(timeout.total_seconds())

    async def destroy(self) -> None:
        """Remove the actor and its database for good.

        Raises ActorNotFound, Unreachable, or RivetError when the engine refuses.
        """
        client = self.client
        gateway = client._gateway
        await destroy_actor(gateway.endpoint, gateway.namespace, client._token, self.place)

    def _link(self) -> Link:
        return self.client._link(self.place)

    def _url(self, path: str) -> str:
        return self.client._gateway.url(self.place, path)
