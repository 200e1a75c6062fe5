"""Clone and push over HTTP: the smart protocol, the same in front of every forge.

Paths are `/git/{repo_id}/{name}.git/…`; only the three addresses of the smart protocol exist
(https://git-scm.com/docs/http-protocol). Refusals are plain text, because that is the one form
which git shows to the person at the other end.
"""

import base64
import binascii
import re
import zlib
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
    Sequence,
)
from functools import partial
from typing import Any, Protocol

import structlog

from growqr.errors import GrowError, NotFound
from growqr.git.backend import BackendFailed, Chunk, GitRequest, Start
from growqr.git.pushes import watched
from growqr.git.tokens import Scope as TokenScope
from growqr.settings import GitSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Authenticate = Callable[[str, str], Awaitable[TokenScope | None]]
"""From repository id and token to what it allows; None: the token is another repository's.
Raises Unauthenticated for a token that is none."""

_log = structlog.get_logger(__name__)
_PATH = re.compile(
    r"(?:/git)?/(?P<repo>[A-Za-z0-9][A-Za-z0-9_-]{0,63})/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.git"
    r"/(?P<what>info/refs|git-upload-pack|git-receive-pack)"
)
_SERVICES = ("git-upload-pack", "git-receive-pack")
_MAX_FETCH_BODY = 10 * 1024 * 1024
"""What a fetch may send: its list of known commits. `git http-backend` reads no more."""
_PUSH_OVERHEAD = 1024 * 1024
"""A push is a list of refs, then the pack whose size is limited."""


class Refused(Exception):
    """The request gets this answer instead of git's."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


class Disconnected(Exception):
    """The client has gone."""


class Transport(Protocol):
    """Who answers a request that has been let in: `git http-backend`, or the forge's server."""

    async def exists(self, repo_id: str) -> bool:
        """Whether there is such a repository."""

    async def run(
        self, request: GitRequest, body: AsyncGenerator[bytes, None], start: Start, chunk: Chunk
    ) -> None:
        """Answer it; see `Backend.run`."""


class GitHttp:
    """The ASGI app. It trusts nothing of a request but what `authenticate` says."""

    def __init__(
        self,
        transport: Transport,
        settings: GitSettings,
        authenticate: Authenticate,
        pushed: Callable[[str, Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        """`pushed` hears the repository of each push and where branches shall go, before Git."""
        self._transport = transport
        self._settings = settings
        self._authenticate = authenticate
        self._pushed = pushed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only http is served here, not {scope['type']}")
        answer = _Answer(send)
        try:
            request, body = await self._accept(scope, receive)
            await self._transport.run(request, body, answer.start, answer.chunk)
            await answer.end()
        except Disconnected:
            return
        except Refused as refused:
            await answer.refuse(refused)
        except GrowError as error:
            await answer.refuse(Refused(error.status, error.detail))
        except BackendFailed as error:
            _log.warning("git.backend_failed", path=scope["path"], reason=str(error))
            await answer.refuse(Refused(500, "git failed on our side"))

    async def _accept(
        self, scope: Scope, receive: Receive
    ) -> tuple[GitRequest, AsyncGenerator[bytes, None]]:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            raise Refused(404, "there is no such page")
        service = _service(scope, match["what"], headers)
        repo_id = match["repo"]
        allowed = await self._allowed(repo_id, headers)
        if allowed is None or not await self._transport.exists(repo_id):
            raise Refused(404, "there is no such repository")
        writes = service == "git-receive-pack"
        if writes and allowed != "write":
            raise Refused(403, "this token may read, not push; create one with the scope `write`")
        most = self._settings.max_push_bytes + _PUSH_OVERHEAD if writes else _MAX_FETCH_BODY
        body = _body(receive, most, declared=headers.get("content-length"))
        encoding = headers.get("content-encoding", "identity")
        if encoding in ("gzip", "x-gzip") and not writes:
            body = _inflated(body, most)
        elif encoding != "identity":
            raise Refused(415, "this content encoding is not supported")
        if self._pushed is not None and match["what"] == "git-receive-pack":
            body = watched(body, partial(self._pushed, repo_id))
        protocol = headers.get("git-protocol", "")
        request = GitRequest(
            repo_id=repo_id,
            method=scope["method"],
            what=match["what"],
            service=service,
            protocol=protocol if re.fullmatch(r"version=[0-2]", protocol) else "",
        )
        return request, body

    async def _allowed(self, repo_id: str, headers: Mapping[str, str]) -> TokenScope | None:
        token = _token(headers.get("authorization", ""))
        login = Refused(
            401,
            "use a token of this repository as the password",
            {"WWW-Authenticate": 'Basic realm="GrowQR", charset="UTF-8"'},
        )
        if token is None:
            raise login
        try:
            return await self._authenticate(repo_id, token)
        except NotFound:
            return None
        except GrowError as error:
            if error.status == 401:
                raise login from error
            raise


class _Answer:
    """The response; a refusal can only take its place before it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        self._started = True
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def chunk(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, refused: Refused) -> None:
        if self._started:
            raise ConnectionAbortedError("git ended in the middle of its answer") from refused
        body = f"{refused.text}\n".encode()
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(body)),
            "cache-control": "no-store",
            **refused.headers,
        }
        await self.start(refused.status, {name.lower(): value for name, value in headers.items()})
        await self.chunk(body)
        await self.end()


def _service(scope: Scope, what: str, headers: Mapping[str, str]) -> str:
    """Which service a request asks for; the dumb protocol asks for none and is not served."""
    if what == "info/refs":
        query: str = scope["query_string"].decode("latin-1")
        service = query.removeprefix("service=")
        if service not in _SERVICES:
            raise Refused(404, "only the smart protocol is served here")
        if scope["method"] != "GET":
            raise Refused(405, "use GET", {"Allow": "GET"})
        return service
    if scope["method"] != "POST":
        raise Refused(405, "use POST", {"Allow": "POST"})
    if headers.get("content-type") != f"application/x-{what}-request":
        raise Refused(415, f"the content type must be application/x-{what}-request")
    return what


def _token(authorization: str) -> str | None:
    """The password of HTTP basic auth, or the user name when there is no password."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic" or len(encoded) > 1024:
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or user or None


async def _body(
    receive: Receive, most: int, *, declared: str | None
) -> AsyncGenerator[bytes, None]:
    """The body in pieces; after its end this waits for the client to go. Raises Disconnected."""
    too_large = Refused(413, f"more than {most} bytes in one request")
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise too_large
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        data = message.get("body", b"")
        size += len(data)
        if size > most:
            raise too_large
        if data:
            yield data
        if not message.get("more_body", False):
            yield b""  # the end


async def _inflated(body: AsyncGenerator[bytes, None], most: int) -> AsyncGenerator[bytes, None]:
    """The body without its gzip, so that a small one can't become a huge one inside git."""
    inflate = zlib.decompressobj(wbits=31)
    size = 0
    async for data in body:
        try:
            plain = inflate.decompress(data, most + 1 - size)
        except zlib.error:
            raise Refused(400, "the body is not gzip") from None
        size += len(plain)
        if size > most:
            raise Refused(413, f"more than {most} bytes in one request")
        if plain or not data:
            yield plain if data else b""
