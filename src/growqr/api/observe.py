"""One request id, one log line and two metrics for each request; security headers for all."""

import base64
import binascii
import re
import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from growqr.errors import InvalidInput
from growqr.ids import new_id

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A client may make up others, and each would be a series of its own for ever."""
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_GIVEN_ID = re.compile(rb"^[A-Za-z0-9_-]{8,64}$")

# No images from elsewhere: a reply that a model was tricked into could leak text in an address.
_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


def clerk_policy(publishable_key: str) -> str:
    """Return the content policy that lets Clerk's sign-in run; the key names Clerk's host."""
    encoded = publishable_key.rpartition("_")[2]
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        host = base64.b64decode(padded, validate=True).decode().rstrip("$")
    except (binascii.Error, UnicodeDecodeError):
        host = ""
    if not _HOST.fullmatch(host):
        raise InvalidInput("GROWQR_IDENTITY__CLERK_PUBLISHABLE_KEY is not a key of Clerk.")
    challenge = "https://challenges.cloudflare.com"
    return (
        f"default-src 'self'; script-src 'self' https://{host} {challenge}; "
        f"connect-src 'self' https://{host}; img-src 'self' data: https://img.clerk.com; "
        f"worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; frame-src 'self' {challenge}; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)
"""The API reference page starts its viewer with a script in the page."""


class Observe:
    """ASGI middleware, the outermost. The log line never holds a query string or a header."""

    def __init__(
        self, app: ASGIApp, registry: CollectorRegistry, policy: str | None = None
    ) -> None:
        self._app = app
        self._headers = dict(_SECURITY_HEADERS)
        if policy is not None:
            self._headers["content-security-policy"] = policy
        self._requests = Counter(
            "growqr_http_requests", "Requests", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "growqr_http_request_seconds",
            "Time until the response began",
            ["method", "route"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        begin = time.perf_counter()
        answered = 0.0
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = time.perf_counter() - begin
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope["path"] == "/docs":
                    headers["content-security-policy"] = _DOCS_POLICY
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, observed)
            finally:
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._requests.labels(method, route, str(status)).inc()
                self._seconds.labels(method, route).observe(answered)
                log.info(
                    "http.request",
                    method=method,
                    route=route,
                    status=status,
                    milliseconds=round(answered * 1000, 1),
                )


def _request_id(scope: Scope) -> str:
    """Keep the id that a proxy in front of us gave, if it looks like one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode() if _GIVEN_ID.match(given) else new_id("req")
