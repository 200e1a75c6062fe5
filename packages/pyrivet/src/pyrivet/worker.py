"""The process that runs actors."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx

from pyrivet._envoy import Envoy, EnvoyAddress
from pyrivet._host import Host
from pyrivet._management import http_client
from pyrivet._place import checked_endpoint
from pyrivet._takeover import release_actors
from pyrivet.actor import Actor
from pyrivet.client import Client, ConnParams
from pyrivet.errors import WorkerError

log = logging.getLogger("pyrivet")

_ENGINE_SECONDS = 3.0
# Until the engine has noticed that they were left to it, messages of WebSockets still come here.
# One that found nobody would hold its WebSocket up for 20 s.
_LINGER_SECONDS = 1.0


class Worker:
    """Hosts actors while inside `async with`: connects at entry, hands them over at exit.

    Args:
        endpoint: the engine, such as `http://127.0.0.1:6420`.
        actors: for each kind of actor its name and what makes a fresh instance.
        namespace: must exist in the engine.
        pool: which requests this worker serves; made in the engine when missing.
        token: the engine's admin token, if it has one.
        version: of the actors' code; new starts go to the highest connected version.
        conn_params: what the actors' own `client` gives as connection parameters.
        takeover: `envoy_key` of a worker process that is known to be dead. Its actors start here
            at once instead of when the engine misses it. Never give the key of a live process.
        connect_timeout: how long entering may take.
        drain_timeout: how long actors may take to stop at exit.
    """

    def __init__(
        self,
        endpoint: str,
        actors: Mapping[str, Callable[[], Actor]],
        *,
        namespace: str = "default",
        pool: str = "default",
        token: str | None = None,
        version: int = 1,
        conn_params: ConnParams | None = None,
        takeover: str | None = None,
        connect_timeout: timedelta = timedelta(seconds=30),
        drain_timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        key = uuid.uuid4().hex
        self._address = EnvoyAddress(
            checked_endpoint(endpoint), namespace, pool, key, version, token
        )
        self._names = list(actors)
        self._takeover = takeover
        self._connect_timeout = connect_timeout
        self._drain_timeout = drain_timeout
        self.client = Client(
            endpoint, namespace=namespace, pool=pool, token=token, conn_params=conn_params
        )
        self._host = Host(actors, self.client)
        self._running: asyncio.Task[None] | None = None
        self._releasing: asyncio.Task[None] | None = None

    @property
    def envoy_key(self) -> str:
        """Names this process to the engine; the next one may take over from it."""
        return self._address.key

    @property
    def connected(self) -> bool:
        return self._running is not None and self._host.envoy.ready.is_set()

    @property
    def actors(self) -> int:
        """How many actors are awake here."""
        return self._host.running()

    async def wait(self) -> None:
        """Wait until this worker ends by itself; raises WorkerError saying why."""
        assert self._running is not None, "not entered"
        await asyncio.shield(self._running)

    async def __aenter__(self) -> Self:
        """Connect; raises WorkerError when the engine refuses or cannot be reached in time."""
        envoy = Envoy(self._address, self._names, self._host, self._announce_pool)
        self._host.envoy = envoy
        self._running = asyncio.create_task(envoy.run(), name="pyrivet-envoy")
        ready = asyncio.create_task(envoy.ready.wait())
        try:
            await asyncio.wait(
                {ready, self._running},
                timeout=self._connect_timeout.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._running.done():
                await self._running
            if not ready.done():
                raise WorkerError(
                    f"no Rivet Engine took this worker at {self._address.endpoint} within "
                    f"{self._connect_timeout.total_seconds():g} s: {envoy.problem}"
                )
        except BaseException:
            await self._end(self._running)
            await self.client.aclose()
            raise
        finally:
            ready.cancel()
        if self._takeover is not None:
            release = self._release(self._takeover)
            self._releasing = asyncio.create_task(release, name="pyrivet-takeover")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every actor so that other workers can go on with them, then disconnect."""
        assert self._running is not None
        if self._releasing is not None:
            await self._end(self._releasing)
        envoy = self._host.envoy
        try:
            envoy.drain()
            if not envoy.ready.is_set():
                self._host.expired()
            if not await self._stopped(_ENGINE_SECONDS):
                # After an engine crash it takes half a minute until it can tell actors to stop.
                self._host.leave()
                if not await self._stopped(self._drain_timeout.total_seconds()):
                    log.warning("worker.drain_timed_out", extra={"actors": self.actors})
                    self._host.expired()
                    await self._stopped(_ENGINE_SECONDS)
            if self._host.left_at is not None:
                gone_for = asyncio.get_running_loop().time() - self._host.left_at
                await asyncio.sleep(_LINGER_SECONDS - gone_for)
        finally:
            await envoy.close()
            await self._end(self._running)
            await self.client.aclose()

    async def _stopped(self, seconds: float) -> bool:
        """Return whether all actors have stopped in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._host.stopped()
        except TimeoutError:
            return False
        return True

    async def _release(self, dead_key: str) -> None:
        count = await release_actors(self._address, dead_key)
        log.info("worker.took_over", extra={"actors": count})

    async def _announce_pool(self) -> None:
        address = self._address
        url = f"{address.endpoint}/runner-configs/{address.pool}"
        headers = {} if address.token is None else {"authorization": f"Bearer {address.token}"}
        try:
            async with http_client(address.endpoint) as http:
                answer = await http.put(
                    url,
                    params={"namespace": address.namespace},
                    headers=headers,
                    json={"datacenters": {"default": {"normal": {}}}},
                )
        except httpx.HTTPError as error:
            raise OSError(f"the engine does not answer: {error!r}") from error
        if 400 <= answer.status_code < 500:
            raise WorkerError(f"the engine refused the pool: {answer.text[:300]}")
        if answer.status_code >= 500:
            raise OSError(f"the engine is not ready: {answer.status_code}")

    @staticmethod
    async def _end(task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
