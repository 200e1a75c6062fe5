"""HTTP requests to actors, sent again as long as they cannot have run."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from pyrivet import _wire
from pyrivet._backoff import Backoff
from pyrivet._dial import explained
from pyrivet._management import http_client
from pyrivet.errors import (
    ActionError,
    ActorNotFound,
    CallInterrupted,
    DeadlineExceeded,
    RivetError,
    Unreachable,
)

_STOPPING = "actor.stopping"
# The engine has not handed the request to an actor, or the actor has not begun with it. Not among
# them is `guard.actor_stopped_while_waiting`: it also follows a crash in the middle of a request.
_NOT_RUN = {
    "guard.actor_ready_timeout",
    "guard.actor_wake_retries_exceeded",
    "envoy.actor_not_found",
    "actor.no_runner_config_configured",  # no worker has been there yet
    "actor.destroyed_during_creation",  # another request was quicker to make the actor
    _STOPPING,
}
_INTERRUPTED = "actor.interrupted"
_UNAVAILABLE = 503
_SERVER_ERROR = 500
_CONNECT_SECONDS = 5.0


class _NotRun(Exception):
    """The request has not reached the actor; says why."""


class Requests:
    """Sends requests over connections that are kept for the next ones."""

    def __init__(self, endpoint: str, params: Callable[[], Mapping[str, Any]]) -> None:
        self._endpoint = endpoint
        self._params = params
        self._http: httpx.AsyncClient | None = None

    def _headers(self) -> dict[str, str]:
        headers = {"x-rivet-encoding": "json"}
        if params := self._params():
            headers["x-rivet-conn-params"] = json.dumps(dict(params))
        return headers

    async def post(self, url: str, content: str, *, seconds: float, retry: bool = False) -> Any:
        """Post JSON to an actor's `/action` or `/queue` and return what it answered.

        Sent again after what shows that it has not run, with `retry` also after what leaves that
        open. Raises as `ActorHandle.call` does.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        backoff, sent = Backoff(0.02, 1.0), False
        last: Exception = Unreachable("no time to connect")
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._post(url, content)
            except TimeoutError:
                raise DeadlineExceeded("no answer in time") from last
            except _NotRun as error:
                last = error
            except CallInterrupted as error:
                if not retry:
                    raise
                last, sent = error, True
            await asyncio.sleep(backoff.delay())
        raise (DeadlineExceeded if sent else Unreachable)(explained(str(last)))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | str | AsyncIterator[bytes] | None,
        seconds: float,
    ) -> AsyncIterator[httpx.Response]:
        """Send plain HTTP and yield the answer once it begins; see `ActorHandle.stream`."""
        deadline = asyncio.get_running_loop().time() + seconds
        request = self._client().build_request(
            method, url, headers={**self._headers(), **headers}, content=content, timeout=None
        )
        backoff = Backoff(0.02, 1.0)
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    answer = await self._begin(request)
                    break
            except TimeoutError:
                raise DeadlineExceeded("no answer in time") from None
            except _NotRun as error:
                late = asyncio.get_running_loop().time() > deadline
                if late or isinstance(content, AsyncIterator):  # part of it may be used up
                    raise Unreachable(explained(str(error))) from error
            await asyncio.sleep(backoff.delay())
        try:
            yield answer
        except httpx.TransportError as error:
            raise CallInterrupted(f"the answer broke off: {error!r}") from error
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        """Close all connections; requests under way raise CallInterrupted."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def _post(self, url: str, content: str) -> Any:
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        http = self._client()
        try:
            answer = await http.post(url, content=content, headers=self._headers(), timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotRun(repr(error)) from error
        except httpx.TransportError as error:
            raise CallInterrupted(repr(error)) from error
        if answer.is_success:
            return _wire.revive(answer.json())
        raise _failure(answer)

    async def _begin(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises what the engine, not the actor, answered instead."""
        try:
            answer = await self._client().send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _NotRun(repr(error)) from error
        except httpx.TransportError as error:
            raise CallInterrupted(repr(error)) from error
        if "x-rivet-error" not in answer.headers and answer.status_code != _UNAVAILABLE:
            return answer
        await answer.aread()
        if "x-rivet-error" in answer.headers or _code(answer) == _STOPPING:
            raise _failure(answer)
        return answer  # the actor's own

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = http_client(self._endpoint)
        return self._http


def _code(answer: httpx.Response) -> str:
    """Return the group and code of an error, empty if neither engine nor actor named one."""
    if "x-rivet-error" in answer.headers:
        return str(answer.headers["x-rivet-error"])
    try:
        fields = answer.json()
        return f"{fields['group']}.{fields['code']}"
    except (ValueError, TypeError, KeyError):
        return ""


def _failure(answer: httpx.Response) -> Exception:
    """Return what an answer that is no success means."""
    code, status = _code(answer), answer.status_code
    if code in _NOT_RUN or (not code and status == _UNAVAILABLE):
        # Without a code it is from a proxy, which by this status has not passed the request on.
        return _NotRun(code or "503 without a reason")
    if code == _INTERRUPTED:
        return CallInterrupted(code)
    if "x-rivet-error" in answer.headers:
        if code == "actor.not_found":
            return ActorNotFound("no such actor")
        return RivetError(code) if status < _SERVER_ERROR else CallInterrupted(code)
    if not code:
        return RivetError(f"the answer was {status}")
    fields = answer.json()
    message, metadata = str(fields.get("message")), _wire.revive(fields.get("metadata"))
    return ActionError(str(fields["code"]), message, metadata)
