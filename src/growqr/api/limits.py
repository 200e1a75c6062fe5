"""What is refused before any route runs: bodies that are too large or of the wrong type."""

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from growqr.api.problems import problem_of_status

GIT_TRANSPORT = re.compile(r"^/git/[^/]+/[^/]+\.git/")
"""Clone and push: these have their own limits, and bodies that are not JSON."""


class BodyLimits:
    """ASGI middleware: 413 beyond `max_bytes`, 415 for a body that is not JSON."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or GIT_TRANSPORT.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        has_body = (length.strip() not in (b"", b"0")) or b"transfer-encoding" in headers
        refusal = 0
        if length.isdigit() and int(length) > self._max_bytes:
            refusal = 413
        elif has_body and not _is_json(headers.get(b"content-type", b"")):
            refusal = 415
        if refusal:
            request_id = scope.get("state", {}).get("request_id")
            await problem_of_status(refusal, request_id=request_id)(scope, receive, send)
            return
        await self._limited(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body without a length is counted as it comes."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(413)  # the route that reads passes this on
            return message

        await self._app(scope, counting, send)


def _is_json(content_type: bytes) -> bool:
    kind = content_type.split(b";")[0].strip().lower()
    return kind == b"application/json" or (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    )
