"""The only way from a sandbox to a language model: one Unix socket per workspace.

Which socket a request comes through says whose it is, and its token must be that workspace's.
The provider's key is put in the token's place here, so none is ever inside a sandbox; only the
configured model's completion calls get through, and only as long as the task's and the person's
budgets last. Offline, the gateway answers by itself. Prompts are neither stored nor logged.
"""

import asyncio
import hmac
import json
import math
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from growqr.billing.budget import TokenBudget
from growqr.billing.entitlement import Entitlements
from growqr.models.doors import Door
from growqr.models.metering import Account, Meter, Rate, Usage
from growqr.models.offline_coding import answer, answer_stream
from growqr.models.provider import OFFLINE_MODEL
from growqr.models.running_time import RunningTime
from growqr.models.upstream import Upstream
from growqr.settings import ModelSettings

_log = structlog.get_logger(__name__)

_BODY_BYTES = 32 * 1024 * 1024
_AT_ONCE = 8
"""Requests of one workspace under way."""
_REQUEST_HEADERS = ("accept", "content-type", "anthropic-version", "anthropic-beta")
_ANSWER_HEADERS = ("content-type", "content-encoding", "retry-after", "retry-after-ms")
_QUERY = ("alt", "beta")


class ModelGateway:
    """Serves the sockets; it needs a running event loop for all but `opencode_config`."""

    def __init__(
        self, settings: ModelSettings, *, entitlements: Entitlements | None = None
    ) -> None:
        """`entitlements` counts and limits what people use per day; None: nobody does."""
        self._settings = settings
        self._budget: TokenBudget | None = None
        self._time: RunningTime | None = None
        self._timing: asyncio.Task[None] | None = None
        if entitlements is not None:
            self._budget = TokenBudget(entitlements, settings.tokens_per_day)
            self._time = RunningTime(entitlements.usage)
        self._upstream = Upstream(settings)
        self._offline = settings.provider == "offline"
        self._timeout = httpx.Timeout(settings.request_seconds, connect=10)
        self._http: httpx.AsyncClient | None = None
        self._folder: Path | None = None
        self._doors: dict[str, Door] = {}
        self._tokens: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}
        self._rates: dict[str, Rate] = {}
        self._changing = asyncio.Lock()

    async def open(self, workspace_id: str, user_id: str = "") -> Path:
        """Return the socket of this workspace, whose use counts as this person's."""
        async with self._changing:
            if (door := self._doors.get(workspace_id)) is not None:
                return door.path
            if self._folder is None:
                # mode 0700: others on this host can't reach the sockets; short: their paths
                # may have 108 bytes
                self._folder = Path(tempfile.mkdtemp(prefix="growqr-gw-"))
            if self._http is None:
                self._http = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False)
            account = self._account(workspace_id, user_id)
            rate = self._rates.setdefault(account.user_id, Rate(self._settings.requests_per_minute))
            token = secrets.token_urlsafe(24)
            caller = _Caller(
                self._upstream, self._http, token, account, rate, offline=self._offline
            )
            door = Door(self._folder / f"{secrets.token_hex(8)}.sock", caller.handle)
            await door.open()
            self._doors[workspace_id] = door
            self._tokens[workspace_id] = token
            if self._time is not None:
                self._time.began(workspace_id, account.user_id)
                self._timing = self._timing or asyncio.create_task(self._time.run())
            return door.path

    async def close(self, workspace_id: str) -> None:
        """Close the socket and end its requests; safe to repeat."""
        async with self._changing:
            door = self._doors.pop(workspace_id, None)
            self._tokens.pop(workspace_id, None)
            if door is not None:
                await door.close()
                await self._accounts[workspace_id].settled()
                if self._time is not None:
                    await self._time.ended(workspace_id)

    async def aclose(self) -> None:
        """Close every socket."""
        for workspace_id in list(self._doors):
            await self.close(workspace_id)
        if self._timing is not None:
            self._timing.cancel()
            await asyncio.wait([self._timing])
        if self._http is not None:
            await self._http.aclose()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def usage(self, workspace_id: str) -> Usage:
        """Return what a workspace used so far; zero for one that never asked."""
        account = self._accounts.get(workspace_id)
        return account.usage if account else Usage()

    def begin_task(self, workspace_id: str, user_id: str, used: int = 0) -> None:
        """Begin a task's budget; `used` counts what it used before a restart."""
        self._account(workspace_id, user_id).begin_task(used)

    def task_tokens(self, workspace_id: str) -> int:
        """Return what the workspace's task used so far."""
        account = self._accounts.get(workspace_id)
        return account.task_tokens if account else 0

    def _account(self, workspace_id: str, user_id: str) -> Account:
        if workspace_id not in self._accounts:
            account = Account(user_id or workspace_id, self._settings.tokens_per_task, self._budget)
            self._accounts[workspace_id] = account
        return self._accounts[workspace_id]

    def opencode_config(self, workspace_id: str) -> dict[str, Any]:
        """Return the provider part of OpenCode's configuration.

        The key in it is the workspace's token, good for its own socket until that is closed.
        """
        return self._upstream.opencode_config(self._tokens.get(workspace_id, "closed"))


class _Refused(Exception):
    """An answer of the gateway itself, shaped like the providers' errors."""

    def __init__(self, status: int, message: str, *, retry_after: float = 0) -> None:
        super().__init__(message)
        self.response = JSONResponse(
            {"error": {"message": message, "type": "gateway_error", "code": status}},
            status_code=status,
            headers={"retry-after": str(math.ceil(retry_after))} if retry_after else None,
        )


class _Caller:
    """Handles the requests of one workspace."""

    def __init__(
        self,
        upstream: Upstream,
        http: httpx.AsyncClient,
        token: str,
        account: Account,
        rate: Rate,
        *,
        offline: bool,
    ) -> None:
        self._upstream = upstream
        self._http = http
        self._token = token
        self._account = account
        self._rate = rate
        self._offline = offline
        self._under_way = 0
        self._reading = asyncio.Lock()
        """One body at a time: what a sandbox sends may be as large, and as odd, as it can be."""

    async def handle(self, request: Request) -> Response:
        answer: Response = Response(status_code=499)
        try:
            path = self._path_of_guest(request)
        except _Refused as refused:
            return refused.response
        self._under_way += 1
        try:
            answer = await self._answer(request, path)
        except _Refused as refused:
            answer = refused.response
        except ClientDisconnect:
            pass
        finally:
            if not isinstance(answer, _Relayed):  # which ends when its last byte is out
                self._under_way -= 1
        return answer

    def _path_of_guest(self, request: Request) -> str:
        """Let a request in, before any of its body is taken; returns the path that it asks for."""
        given = self._upstream.key_in(request.headers)
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise _Refused(401, "This is not this workspace's token.")
        path = self._path(request)
        if self._under_way >= _AT_ONCE:
            raise _Refused(429, f"At most {_AT_ONCE} model requests at once.")
        if seconds := self._rate.take():
            raise _Refused(429, "Too many model requests.", retry_after=seconds)
        return path

    async def _answer(self, request: Request, path: str) -> Response:
        if reason := await self._account.spent():
            raise _Refused(402, reason)  # not 429, which OpenCode would try again and again
        async with self._reading:
            content = await _body(request)
            body = self._check(request.method, path, content)
            self._account.usage.requests += 1
            if self._offline:
                return self._answer_offline(request.method, body)
            content = self._upstream.counted(path, body, content)
            del body  # unpacked it can take twenty times its bytes, and an answer takes minutes
        return await self._forward(request, path, content)

    def _path(self, request: Request) -> str:
        whole: str = request.path_params["path"]
        version, _, path = whole.partition("/")
        if version != self._upstream.kind.version or not self._upstream.accepts(
            request.method, path
        ):
            raise _Refused(403, "This call is not open to workspaces.")
        return path

    def _check(self, method: str, path: str, content: bytes) -> dict[str, Any]:
        if method == "GET":
            return {}
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise _Refused(400, "The body must be a JSON object.")
        if not self._upstream.names_model(path, body):
            raise _Refused(403, f"Only the model `{self._upstream.model}` can be used here.")
        return body

    def _answer_offline(self, method: str, body: dict[str, Any]) -> Response:
        if method == "GET":
            return JSONResponse(
                {"object": "list", "data": [{"id": OFFLINE_MODEL, "object": "model"}]}
            )
        if body.get("stream"):
            return StreamingResponse(answer_stream(body), media_type="text/event-stream")
        return JSONResponse(answer(body))

    async def _forward(self, request: Request, path: str, content: bytes) -> Response:
        headers = {
            name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers
        }
        outgoing = self._http.build_request(
            request.method,
            f"{self._upstream.base_url}/{path}",
            params={
                name: request.query_params[name] for name in _QUERY if name in request.query_params
            },
            # the counter reads along, so the answer must not be compressed
            headers={**headers, "accept-encoding": "identity", **self._upstream.key_headers()},
            content=content or None,
        )
        try:
            incoming = await self._http.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            _log.warning("gateway.upstream_unreachable", error=type(error).__name__)
            raise _Refused(502, "The model provider does not answer.") from error
        sent = len(content) if incoming.is_success else 0
        return _Relayed(incoming, self._done, sent)

    def _done(self, meter: Meter | None) -> None:
        self._under_way -= 1
        if meter is not None:
            self._account.add(meter)


class _Relayed(StreamingResponse):
    """The provider's answer, passed on chunk by chunk; `done` is called however it ends."""

    def __init__(
        self, incoming: httpx.Response, done: Callable[[Meter | None], None], sent: int
    ) -> None:
        passed = {
            name: incoming.headers[name] for name in _ANSWER_HEADERS if name in incoming.headers
        }
        self._incoming = incoming
        self._done = done
        self._meter = Meter(sent)
        super().__init__(self._chunks(), status_code=incoming.status_code, headers=passed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # an error is not an answer, and costs nothing
            self._done(self._meter if self._incoming.is_success else None)
            await self._incoming.aclose()

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._incoming.aiter_raw():
                self._meter.read(chunk)
                yield chunk
        except httpx.HTTPError as error:
            # the head is sent: breaking off is the only way left to say it
            _log.warning("gateway.upstream_broke_off", error=type(error).__name__)
            raise


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _BODY_BYTES:
            raise _Refused(413, f"The body has more than {_BODY_BYTES} bytes.")
    return bytes(content)
