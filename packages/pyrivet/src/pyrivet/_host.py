"""Which actors run in this process, and which of them a message is for."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from pyrivet import _protocol as p
from pyrivet._actions import Kind, actions_of, queues_of
from pyrivet._connection import Connection
from pyrivet._envoy import Envoy
from pyrivet._hibernation import KeptSockets
from pyrivet._http import HttpRequest
from pyrivet._runtime import ActorRun
from pyrivet._tunnel import Channel, channel_id
from pyrivet._websocket import PREFIX as WEBSOCKETS
from pyrivet._websocket import WebSocket
from pyrivet.actor import Actor, state_model

if TYPE_CHECKING:
    from pyrivet.client import Client

log = logging.getLogger("pyrivet")

_GONE = {"x-rivet-error": "envoy.actor_not_found"}
# While a client asks for an actor that cannot be made, the engine tries 15 times a second.
_QUIET_SECONDS = 10.0


class Exchange(Protocol):
    """One HTTP request or WebSocket of a client."""

    channel: Channel

    def heard(self, message_id: p.MessageId, kind: p.FromClient) -> None:
        """Take a message of the client."""

    def broken(self) -> p.ToClient:
        """End, as messages may be lost; returns what to tell the client."""


class Host:
    """The actors of one worker. `envoy` must be set before the first message."""

    envoy: Envoy

    def __init__(self, factories: Mapping[str, Callable[[], Actor]], client: "Client") -> None:
        self._factories = factories
        self._client = client
        self._quiet_until = 0.0
        self._kinds: dict[type[Actor], Kind] = {}
        for name, make in factories.items():
            if not callable(make):
                raise TypeError(f"{name!r} needs a class, or a function that makes its actors")
            if isinstance(make, type):
                self._kind(make)
        self._runs: dict[str, ActorRun] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._exchanges: dict[bytes, Exchange] = {}
        self._broken: list[tuple[Channel, p.ToClient]] = []
        self._leaving = False
        self.left_at: float | None = None
        """When WebSockets were last left to the engine, in the loop's time."""

    def running(self) -> int:
        """Return how many actors are not yet stopped."""
        return len(self._lives)

    async def stopped(self) -> None:
        """Wait until every actor has stopped."""
        while self._lives:
            await asyncio.wait(self._lives)

    def leave(self) -> None:
        """Stop every actor in good order, asked by nobody, and each that is still to start."""
        self._leaving = True
        for run in list(self._runs.values()):
            run.leave()

    def start(self, checkpoint: p.Checkpoint, start: p.Start) -> None:
        try:
            run = self._build(checkpoint, start)
        except Exception:
            now = asyncio.get_running_loop().time()
            if now > self._quiet_until:
                self._quiet_until = now + _QUIET_SECONDS
                log.exception("actor.cannot_be_made", extra={"actor": start.config.name})
            failed = p.StateUpdate(p.Stopped(p.StopCode.ERROR, "the actor cannot be made"))
            self.envoy.emit(checkpoint.actor_id, checkpoint.generation, failed)
            return
        self._runs[run.id] = run
        if self._leaving:
            run.leave()
        life = asyncio.create_task(self._live(run), name=f"pyrivet-actor-{run.id}")
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    def stop(self, checkpoint: p.Checkpoint, reason: p.StopReason) -> None:
        run = self._runs.get(checkpoint.actor_id)
        if run is not None and run.generation == checkpoint.generation:
            run.stop(reason)
        elif run is None:
            # Not ours any more, for example after a start that failed: say so again.
            stopped = p.StateUpdate(p.Stopped(p.StopCode.OK, None))
            self.envoy.emit(checkpoint.actor_id, checkpoint.generation, stopped)

    def tunnel(self, request: p.TunnelRequest) -> None:
        message_id, kind = request.message_id, request.kind
        match kind:
            case p.ClientOpen():
                self._open_socket(message_id, kind)
            case p.RequestStart():
                self._open_request(message_id, kind)
            case _:
                exchange = self._exchanges.get(channel_id(message_id))
                if exchange is not None:
                    exchange.heard(message_id, kind)

    def connected(self) -> None:
        for channel, farewell in self._broken:
            channel.send(farewell)
        self._broken.clear()

    def disconnected(self) -> None:
        """End what clients have open: messages may be lost, so let them connect again."""
        for exchange in list(self._exchanges.values()):
            self._broken.append((exchange.channel, exchange.broken()))
        self._exchanges.clear()

    def expired(self) -> None:
        for run in list(self._runs.values()):
            run.fail("no connection to the engine")

    def _build(self, place: p.Checkpoint, start: p.Start) -> ActorRun:
        config = start.config
        if config.name not in self._factories:
            raise LookupError(f"this worker has no {config.name!r}, only {list(self._factories)}")
        actor = self._factories[config.name]()
        return ActorRun(
            self.envoy,
            place,
            config,
            actor=actor,
            kind=self._kind(type(actor)),
            client=self._client,
            before=self._runs.get(place.actor_id),
            kept=KeptSockets(
                [
                    Channel(self.envoy, p.MessageId(kept.gateway_id, kept.request_id, 0))
                    for kept in start.hibernating_requests
                ],
                self._register,
                self._forget,
                self._note_left,
            ),
        )

    def _kind(self, cls: type[Actor]) -> Kind:
        """Return what a class can be asked; raises TypeError for what cannot be called."""
        if cls not in self._kinds:
            self._kinds[cls] = Kind(actions_of(cls), queues_of(cls), state_model(cls))
        return self._kinds[cls]

    async def _live(self, run: ActorRun) -> None:
        try:
            await run.live()
        except Exception:
            log.exception("actor.runtime_failed", extra={"actor_id": run.id})
            failed = p.StateUpdate(p.Stopped(p.StopCode.ERROR, "the actor's runtime failed"))
            self.envoy.emit(run.id, run.generation, failed)
            run.ended.set()
        if self._runs.get(run.id) is run:
            del self._runs[run.id]

    def _open_socket(self, message_id: p.MessageId, opened: p.ClientOpen) -> None:
        channel = Channel(self.envoy, message_id)
        run = self._runs.get(opened.actor_id)
        if run is None:
            channel.send(p.SocketClose(1011, "envoy.actor_not_found", hibernate=False))
            return
        if urlsplit(opened.path).path.startswith(f"{WEBSOCKETS}/"):
            socket = WebSocket(run, channel, opened, self._forget)
            self._register(socket)
            run.audience.open_socket(socket)
        else:
            connection = Connection(run, channel, opened, self._forget)
            self._register(connection)
            run.audience.open(connection)

    def _open_request(self, message_id: p.MessageId, start: p.RequestStart) -> None:
        channel = Channel(self.envoy, message_id)
        run = self._runs.get(start.actor_id)
        if run is None:
            channel.send(p.ResponseStart(503, _GONE, None, stream=False))
            return
        exchange = HttpRequest(run, channel, start, self._forget)
        self._register(exchange)
        exchange.begin()

    def _register(self, exchange: Exchange) -> None:
        self._exchanges[exchange.channel.id] = exchange

    def _note_left(self) -> None:
        self.left_at = asyncio.get_running_loop().time()

    def _forget(self, key: bytes) -> None:
        self._exchanges.pop(key, None)
