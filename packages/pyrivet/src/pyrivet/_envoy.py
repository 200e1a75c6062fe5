"""The connection of a worker to the engine: one WebSocket that carries everything."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from pyrivet import _protocol as p
from pyrivet._backoff import Backoff
from pyrivet._history import CommandLog, EventHistory
from pyrivet._quick_ack import acknowledge
from pyrivet.errors import ProtocolError, RivetError, WorkerError

log = logging.getLogger("pyrivet")

_MAX_FRAME_BYTES = 64 << 20
_REQUEST_SECONDS = 30.0
_STABLE_SECONDS = 10.0
# The engine declares an envoy lost this long after its last pong; stop a little earlier.
_LOST_SHARE = 0.9
_FATAL = {"ws.eviction", "ws.invalid_request", "guard.missing_header", "namespace.not_found"}


class LinkLost(RivetError):
    """The connection broke while a request was under way."""


class EnvoyHost(Protocol):
    """What an envoy tells the worker. Calls come from the reading task and must not block."""

    def start(self, checkpoint: p.Checkpoint, start: p.Start) -> None: ...
    def stop(self, checkpoint: p.Checkpoint, reason: p.StopReason) -> None: ...
    def tunnel(self, request: p.TunnelRequest) -> None: ...
    def connected(self) -> None: ...
    def disconnected(self) -> None: ...
    def expired(self) -> None:
        """The engine may be giving our actors to another worker by now."""


@dataclass(frozen=True)
class EnvoyAddress:
    """Where and as whom an envoy connects."""

    endpoint: str
    namespace: str
    pool: str
    key: str
    version: int
    token: str | None

    def url(self) -> str:
        query = {
            "protocol_version": p.VERSION,
            "namespace": self.namespace,
            "envoy_key": self.key,
            "version": self.version,
            "pool_name": self.pool,
        }
        base = self.endpoint.replace("http", "ws", 1)
        return f"{base}/envoys/connect?{urlencode(query)}"

    def subprotocols(self) -> list[Subprotocol]:
        names = ["rivet"] if self.token is None else ["rivet", f"rivet_token.{self.token}"]
        return [Subprotocol(name) for name in names]


def open_socket(address: EnvoyAddress) -> connect:
    return connect(
        address.url(),
        subprotocols=address.subprotocols(),
        compression=None,
        proxy=None,
        max_size=_MAX_FRAME_BYTES,
        max_queue=1024,
        ping_interval=None,  # the engine pings with messages of its own
        close_timeout=1,
    )


class Envoy:
    """Keeps a worker connected, resends what a broken connection may have lost.

    `prepare` runs before each attempt to connect; errors of the network in it count as a failed
    attempt, a WorkerError ends the envoy.
    """

    def __init__(
        self,
        address: EnvoyAddress,
        names: list[str],
        host: EnvoyHost,
        prepare: Callable[[], Awaitable[None]],
    ) -> None:
        self.address = address
        self.ready = asyncio.Event()
        """Set while the engine has accepted this connection."""
        self.problem = "it did not answer"
        """Why the last attempt to connect failed."""
        self._names = names
        self._host = host
        self._prepare = prepare
        self._socket: ClientConnection | None = None
        self._outbox: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._wake = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._last_request = 0
        self._history = EventHistory()
        self._commands = CommandLog()
        self._lost_seconds = 15.0
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._closing = False
        self._draining = False

    async def run(self) -> None:
        """Stay connected until `close`; raises WorkerError when the engine refuses for good."""
        backoff = Backoff(0.05, 1.0)
        loop = asyncio.get_running_loop()
        try:
            while not self._closing:
                began = loop.time()
                try:
                    await self._prepare()
                    async with open_socket(self.address) as socket:
                        await self._serve(socket)
                except (OSError, InvalidHandshake, TimeoutError) as error:
                    self.problem = str(error) or repr(error)
                    log.info("envoy.unreachable", extra={"reason": self.problem})
                if loop.time() - began > _STABLE_SECONDS:
                    backoff.reset()
                if not self._closing:
                    await asyncio.sleep(backoff.delay())
        finally:
            if self._watch is not None:
                self._watch.cancel()

    def drain(self) -> None:
        """Ask the engine to stop our actors and to start no more here."""
        self._draining = True
        self.send(p.Stopping())

    async def close(self) -> None:
        """Send what is waiting and disconnect."""
        self._closing = True
        if self._socket is not None and self.ready.is_set():
            await self._flushed.wait()
        if self._socket is not None:
            await self._socket.close()

    def send(self, message: p.ToEngine, sent: Callable[[], None] | None = None) -> None:
        """Queue a message; it is dropped when there is no connection.

        `sent` is called once it has been handed to the network or dropped.
        """
        if not self.ready.is_set():
            if sent is not None:
                sent()
            return
        self._outbox.append((p.TO_ENGINE.encode(message), sent))
        self._flushed.clear()
        self._wake.set()

    def emit(self, actor_id: str, generation: int, event: p.ActorEvent) -> None:
        """Report what happened to an actor; repeated after a reconnect until the engine has it."""
        self.send(p.Events([self._history.add(actor_id, generation, event)]))

    async def request(self, make: Callable[[int], p.ToEngine], *, repeat: bool) -> Any:
        """Send a request and return the data of its answer, waiting for a connection first.

        With `repeat` it is sent again after a broken connection; otherwise LinkLost is raised,
        also when no answer comes within 30 seconds.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self.ready.wait()
            self._last_request = request_id = (self._last_request + 1) & 0xFFFFFFFF
            answer: asyncio.Future[Any] = loop.create_future()
            self._requests[request_id] = answer
            try:
                self.send(make(request_id))
                async with asyncio.timeout(_REQUEST_SECONDS):
                    return await answer
            except (LinkLost, TimeoutError) as error:
                if not repeat:
                    raise LinkLost("the engine did not answer") from error
            finally:
                self._requests.pop(request_id, None)

    async def _serve(self, socket: ClientConnection) -> None:
        self._socket = socket
        names = {name: p.ActorName("{}") for name in self._names}
        await socket.send(p.TO_ENGINE.encode(p.Metadata(names, None)))
        writer = asyncio.create_task(self._write(socket), name="pyrivet-envoy-writer")
        try:
            async for frame in socket:
                acknowledge(socket)
                self._hear()
                if isinstance(frame, bytes):
                    self._receive(frame)
        except ConnectionClosed:
            pass  # looked at below, like an orderly close
        finally:
            self._disconnect()
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        reason = (socket.close_reason or "").partition("#")[0]
        log.info("envoy.disconnected", extra={"code": socket.close_code, "reason": reason})
        if reason in _FATAL and not self._closing:
            self._host.expired()
            raise WorkerError(f"the engine refused this worker: {reason}")

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                while self._outbox:
                    frame, sent = self._outbox.popleft()
                    await socket.send(frame)
                    if sent is not None:
                        sent()
                self._flushed.set()
                self._wake.clear()
                await self._wake.wait()
        except ConnectionClosed:
            pass  # the reading side notices and cleans up

    def _receive(self, frame: bytes) -> None:
        try:
            message = p.TO_ENVOY.decode(frame)
        except ProtocolError:
            log.exception("envoy.undecodable_frame")
            return
        match message:
            case p.TunnelRequest():
                self._host.tunnel(message)
            case p.SqlExecuted() | p.SqlBatchDone() | p.SqlScriptDone() | p.KvResponse():
                answer = self._requests.get(message.request_id)
                if answer is not None and not answer.done():
                    answer.set_result(message.data)
            case p.Ping(ts):
                self._history.pinged()
                self.send(p.Pong(ts))
            case p.Commands(commands):
                self._obey(commands)
            case p.AckEvents(checkpoints):
                self._history.acknowledge(checkpoints)
            case p.Init():
                self._connect(message)

    def _connect(self, init: p.Init) -> None:
        self._lost_seconds = init.lost_threshold_ms / 1000
        self.ready.set()
        missed = self._history.unacknowledged()
        if missed:
            self.send(p.Events(missed))
        if self._draining:
            self.send(p.Stopping())
        self._host.connected()
        self._arm(self._lost_seconds * _LOST_SHARE)

    def _disconnect(self) -> None:
        self.ready.clear()
        self._socket = None
        while self._outbox:
            _, sent = self._outbox.popleft()
            if sent is not None:
                sent()
        self._flushed.set()
        for answer in list(self._requests.values()):
            if not answer.done():
                answer.set_exception(LinkLost("connection lost"))
        self._host.disconnected()

    def _obey(self, commands: list[p.CommandWrapper]) -> None:
        for command in commands:
            if not self._commands.accept(command.checkpoint):
                continue
            if isinstance(command.inner, p.Start):
                self._host.start(command.checkpoint, command.inner)
            else:
                self._host.stop(command.checkpoint, command.inner.reason)
        self.send(p.AckCommands([command.checkpoint for command in commands]))

    def _hear(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def _arm(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        self._watch = loop.call_at(due, self._check, due)

    def _check(self, due: float) -> None:
        """Give up the actors when the engine has been silent for as long as it allows."""
        now = asyncio.get_running_loop().time()
        limit = self._lost_seconds * _LOST_SHARE
        self._watch = None
        if now - due > limit / 4 and now - self._heard < self._lost_seconds:
            # This process was held up, but not for too long: frames may be waiting to be read.
            self._arm(self._lost_seconds - (now - self._heard))
        elif now - self._heard < limit:
            self._arm(limit - (now - self._heard))
        else:
            log.warning("envoy.expired", extra={"silent_seconds": round(now - self._heard, 1)})
            if self._socket is not None:
                self._socket.transport.abort()
            self._host.expired()
