"""The client of one OpenCode server, over its control socket.

The server shares its sandbox with what the model runs, so every byte it answers counts as
written by the model: sizes are bounded, shapes are checked, unknown things are passed over.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from growqr.opencode.types import ProtocolError, SessionMissing, WorkspaceFailed
from growqr.opencode.unix_http import unix_transport

_ANSWER_BYTES = 16 * 1024 * 1024
_EVENT_BYTES = 4 * 1024 * 1024
_SILENCE_SECONDS = 35
"""The server's heartbeat comes every 10 s."""


class OpenCodeClient:
    """Typed calls on one server; close it with `aclose`."""

    def __init__(self, control: Path, password: str) -> None:
        self._http = httpx.AsyncClient(
            transport=unix_transport(control),
            base_url="http://opencode",
            auth=("opencode", password),
            timeout=httpx.Timeout(30),
            # a few compressed bytes could unpack to any size
            headers={"accept-encoding": "identity"},
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def agents(self) -> list[Mapping[str, Any]]:
        """Return the agents as configured; asking also warms the server up."""
        return _objects(await self._call("GET", "/agent"))

    async def create_session(self, title: str) -> str:
        # with a title, OpenCode doesn't ask the model for one
        answer = await self._call("POST", "/session", {"title": title[:200] or "Work"})
        session_id = _text(answer, "id")
        if not session_id.startswith("ses_"):
            raise ProtocolError("OpenCode gave a session without an id.")
        return session_id

    async def messages(self, session_id: str, limit: int) -> list[Mapping[str, Any]]:
        """Return the newest messages, each `{info, parts}`, oldest first."""
        path = f"/session/{_segment(session_id)}/message?limit={limit}"
        return _objects(await self._call("GET", path))

    async def prompt(self, session_id: str, text: str) -> None:
        """Start a turn; what happens comes as events."""
        body = {"parts": [{"type": "text", "text": text}]}
        await self._call("POST", f"/session/{_segment(session_id)}/prompt_async", body)

    async def abort(self, session_id: str) -> None:
        await self._call("POST", f"/session/{_segment(session_id)}/abort", {})

    async def answer(self, question_id: str, text: str, questions: int) -> None:
        body = {"answers": [[text]] * questions}
        await self._call("POST", f"/question/{_segment(question_id)}/reply", body)

    async def decide(self, permission_id: str, *, allow: bool, why: str) -> None:
        """Allow or deny what the server asks permission for, this once.

        A refusal without words would end the turn.
        """
        body = {"reply": "once"} if allow else {"reply": "reject", "message": why or "No."}
        await self._call("POST", f"/permission/{_segment(permission_id)}/reply", body)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Open the event stream; it ends or raises when the server goes away."""
        timeout = httpx.Timeout(30, read=_SILENCE_SECONDS)
        self._check_open()
        try:
            async with self._http.stream("GET", "/event", timeout=timeout) as response:
                if response.status_code != httpx.codes.OK:
                    raise ProtocolError(f"OpenCode refused events: {response.status_code}.")
                yield _events(response)
        except httpx.HTTPError as error:
            raise WorkspaceFailed("The connection to OpenCode broke.") from error

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        self._check_open()
        try:
            async with self._http.stream(method, path, json=body) as response:
                content = bytearray()
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > _ANSWER_BYTES:
                        raise ProtocolError("OpenCode's answer is too large.")
        except httpx.HTTPError as error:
            raise WorkspaceFailed("OpenCode does not answer.") from error
        if response.status_code == httpx.codes.NOT_FOUND:
            raise SessionMissing("OpenCode does not know this session.")
        if not response.is_success:
            raise ProtocolError(f"OpenCode refused {method} {path}: {response.status_code}.")
        if not content:
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("OpenCode's answer is not JSON.") from error

    def _check_open(self) -> None:
        if self._http.is_closed:  # httpx would raise what nobody here expects
            raise WorkspaceFailed("OpenCode was stopped.")


async def _events(response: httpx.Response) -> AsyncIterator[Mapping[str, Any]]:
    """Cut the stream into events; one that is too large or not JSON is passed over."""
    buffer = bytearray()
    dropping = False
    async for chunk in response.aiter_raw():
        buffer += chunk
        *lines, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            if not dropping and line.startswith(b"data:") and len(line) <= _EVENT_BYTES:
                event = _event(bytes(line[5:]))
                if event is not None:
                    yield event
            dropping = False
        if len(buffer) > _EVENT_BYTES:
            buffer.clear()
            dropping = True


def _event(data: bytes) -> Mapping[str, Any] | None:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ProtocolError("OpenCode gave something other than a list.")
    return [item for item in value if isinstance(item, dict)]


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise ProtocolError(f"OpenCode gave no `{key}`.")
    return found


def _segment(value: str) -> str:
    """Return an id as one path segment; ids come from outside too."""
    if not value.replace("_", "").isalnum() or len(value) > 100:
        raise SessionMissing("OpenCode does not know this session.")
    return value
