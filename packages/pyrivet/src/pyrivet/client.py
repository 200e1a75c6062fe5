"""Calls actors from anywhere."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import cbor2

from pyrivet._key import join_key
from pyrivet._link import Link
from pyrivet._management import destroy_actor
from pyrivet._send import send_message
from pyrivet._subscription import Subscription

_CALL_TIMEOUT = timedelta(seconds=60)
_QUEUE_SIZE = 1_000


class Client:
    """Gives handles on actors and shares one connection per actor between them.

    Args:
        endpoint: the engine, such as `http://127.0.0.1:6420`.
        namespace: where the actors live.
        pool: of the workers that run them.
        conn_params: reaches `Actor.authorize` and `Connection.params`; must fit in JSON.
        token: the engine's admin token, only needed for `ActorHandle.destroy`.
        idle: a connection without calls and subscribers is closed after this long, so that its
            actor may sleep.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        namespace: str = "default",
        pool: str = "default",
        conn_params: Mapping[str, Any] | None = None,
        token: str | None = None,
        idle: timedelta = timedelta(seconds=60),
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._namespace = namespace
        self._pool = pool
        self._conn_params = dict(conn_params or {})
        self._token = token
        self._idle = idle
        self._links: dict[tuple[str, tuple[str, ...], bool], Link] = {}

    def get_or_create(self, name: str, key: Sequence[str], *, input: Any = None) -> "ActorHandle":  # noqa: A002
        """Return a handle on an actor that the first call makes if it does not exist.

        `input` is for a new actor only and must fit in CBOR. Nothing is sent yet. A part of the
        key is not empty and has no comma in it: ValueError.
        """
        return self._handle(name, tuple(key), create=True, given=input)

    def get(self, name: str, key: Sequence[str]) -> "ActorHandle":
        """Return a handle on an existing actor; calls raise ActorNotFound without it."""
        return self._handle(name, tuple(key), create=False, given=None)

    async def aclose(self) -> None:
        """Close all connections; calls under way raise CallInterrupted."""
        links, self._links = list(self._links.values()), {}
        for link in links:
            await link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _handle(self, name: str, key: tuple[str, ...], create: bool, given: Any) -> "ActorHandle":
        if not key or any(not part or "," in part for part in key):
            raise ValueError(f"{key!r}: a key has parts, not empty and without commas")
        return ActorHandle(self, name, key, create, given)

    def _link(self, handle: "ActorHandle") -> Link:
        place = (handle.name, handle.key, handle.create)
        link = self._links.get(place)
        if link is None:
            url = self._address(handle)
            link = Link(
                url,
                self._conn_params,
                creates=handle.create,
                idle=self._idle,
                on_closed=lambda: self._forget(place),
            )
            self._links[place] = link
        return link

    def _forget(self, place: tuple[str, tuple[str, ...], bool]) -> None:
        link = self._links.get(place)
        if link is not None and link.closed:
            del self._links[place]

    def _address(self, handle: "ActorHandle", scheme: str = "ws", path: str = "/connect") -> str:
        query = {
            "rvt-namespace": self._namespace,
            "rvt-method": "getOrCreate" if handle.create else "get",
            "rvt-key": ",".join(handle.key),
        }
        if handle.create:
            query["rvt-pool"] = self._pool
            if handle.input is not None:
                packed = base64.urlsafe_b64encode(cbor2.dumps(handle.input))
                query["rvt-input"] = packed.rstrip(b"=").decode()
        base = self._endpoint.replace("http", scheme, 1)
        return f"{base}/gateway/{quote(handle.name, safe='')}{path}?{urlencode(query)}"


@dataclass(frozen=True, eq=False)
class ActorHandle:
    """A place to send calls to; made by `Client.get_or_create` or `Client.get`."""

    client: Client
    name: str
    key: tuple[str, ...]
    create: bool
    input: Any

    async def call(
        self, action: str, *args: Any, timeout: timedelta = _CALL_TIMEOUT, retry: bool = False
    ) -> Any:
        """Run an action and return its result.

        Connects, and connects again while the actor cannot be reached, until `timeout`. A call
        that broke off after it was sent is only repeated with `retry`: give that for actions
        that may run twice.

        Raises:
            ActionError: the actor refused or failed.
            Unreachable: not sent in time.
            DeadlineExceeded: sent, but no answer in time.
            CallInterrupted: broke off after it was sent; it may have run.
            ActorNotFound: no such actor, with a handle of `Client.get`.
        """
        return await self.client._link(self).call(action, args, timeout.total_seconds(), retry)

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
            ActorNotFound: no such actor, with a handle of `Client.get`.
        """
        client = self.client
        return await send_message(
            client._address(self, "http", "/queue"),
            queue,
            body,
            params=client._conn_params,
            wait=wait,
            seconds=timeout.total_seconds(),
        )

    def subscribe(self, event: str, *, max_queued: int = _QUEUE_SIZE) -> Subscription:
        """Return an async context manager that yields an iterator over an event's arguments.

        Inside it, every event from then on is delivered or EventsLost raised in its place: when
        more than `max_queued` wait, or after a reconnect. Iteration may go on after that, but not
        after another error: the actor then refuses this client, or is gone. Calls made inside
        reach the actor after the subscription did.
        """
        return Subscription(lambda: self.client._link(self), event, max_queued)

    async def destroy(self) -> None:
        """Remove the actor and its database for good.

        Raises ActorNotFound, Unreachable, or RivetError when the engine refuses.
        """
        client = self.client
        await destroy_actor(
            client._endpoint,
            client._namespace,
            client._token,
            name=self.name,
            key=join_key(self.key),
        )
