"""The Docker Engine API, which Docker and Podman both serve, as far as workspaces need it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from growqr.opencode.types import SandboxUnavailable

_API = "http://engine/v1.41"
_TIMEOUT = httpx.Timeout(60, connect=5)
_USUAL_SOCKETS = (Path("/run/podman/podman.sock"), Path("/var/run/docker.sock"))
_FRAME_HEAD = 8


class EngineError(SandboxUnavailable):
    """The container engine refused a call; the detail holds its reason."""

    def __init__(self, detail: str, *, answer: int | None = None) -> None:
        super().__init__(detail)
        self.answer = answer
        """HTTP status of the refusal; None: there was no answer."""


def engine_socket(setting: str) -> Path:
    """Return the engine's Unix socket: the one in settings, or Podman's, else Docker's.

    Raises:
        SandboxUnavailable: there is none.
    """
    for path in [Path(setting.removeprefix("unix://"))] if setting else _USUAL_SOCKETS:
        if path.is_socket():
            return path
    raise SandboxUnavailable(
        "No container engine answers. Start one, e.g. `systemctl start podman.socket`, or name"
        " its socket with GROWQR_SANDBOX__ENGINE."
    )


class ContainerEngine:
    """Typed calls on one engine; close it with `aclose`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)),
            base_url=_API,
            timeout=_TIMEOUT,
            # two of them stay open for each running container
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def is_podman(self) -> bool:
        """Tell which of the two it is: they take a system-call filter in different forms."""
        parts = (await self._call("GET", "/version")).get("Components") or ()
        return any("podman" in str(part.get("Name", "")).lower() for part in parts)

    async def is_rootless(self) -> bool:
        """Tell whether the engine itself runs without root."""
        options = (await self._call("GET", "/info")).get("SecurityOptions") or ()
        return any("rootless" in str(option) for option in options)

    async def has_image(self, name: str) -> bool:
        try:
            await self._call("GET", f"/images/{name}/json")
        except EngineError as error:
            if error.answer == httpx.codes.NOT_FOUND:
                return False
            raise
        return True

    async def create(self, name: str, settings: Mapping[str, Any]) -> str:
        """Make a container; returns its id."""
        made = await self._call("POST", "/containers/create", settings, name=name)
        return str(made["Id"])

    async def start(self, container: str) -> None:
        await self._call("POST", f"/containers/{container}/start")

    async def inspect(self, container: str) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = await self._call("GET", f"/containers/{container}/json")
        return facts

    async def wait(self, container: str) -> int:
        """Wait for the container's end, however long; returns its exit code."""
        answer = await self._call("POST", f"/containers/{container}/wait", timeout=None)
        return int(answer["StatusCode"])

    async def memory_bytes(self, container: str) -> int | None:
        """Return the memory in use, without the kernel's cache of files; None: not known."""
        path = f"/containers/{container}/stats"
        found = await self._call("GET", f"{path}?stream=false&one-shot=true")
        memory = found.get("memory_stats") or {}
        usage, parts = memory.get("usage"), memory.get("stats") or {}
        if not isinstance(usage, int):
            return None
        cache = parts.get("total_inactive_file") or parts.get("inactive_file") or 0
        return max(0, usage - cache) if isinstance(cache, int) else usage

    async def kill(self, container: str) -> None:
        """End the container at once; one that has ended is fine."""
        try:
            await self._call("POST", f"/containers/{container}/kill", signal="KILL")
        except EngineError as error:
            if error.answer is None:
                raise  # else: it does not run, or is gone

    async def remove(self, container: str) -> None:
        """End the container at once and forget it; one that is gone is fine."""
        await self.kill(container)  # removal alone would first ask it to stop, and wait
        try:
            await self._call("DELETE", f"/containers/{container}", force="true", v="true")
        except EngineError as error:
            if error.answer != httpx.codes.NOT_FOUND:
                raise

    async def labelled(self, *labels: str) -> list[tuple[str, Mapping[str, str]]]:
        """Return id and labels of the containers, stopped ones too, that have these labels."""
        filters = json.dumps({"label": list(labels)})
        found = await self._call("GET", "/containers/json", all="true", filters=filters)
        return [(str(item["Id"]), item.get("Labels") or {}) for item in found]

    async def attach(self, container: str) -> "Printed":
        """Read what the container prints from now on."""
        request = self._http.build_request(
            "POST",
            f"/containers/{container}/attach",
            params={"stream": "1", "stdout": "1", "stderr": "1"},
            timeout=httpx.Timeout(60, read=None),
        )
        try:
            answer = await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if answer.status_code != httpx.codes.OK:
            await answer.aclose()
            raise EngineError("The container engine does not attach.", answer=answer.status_code)
        return Printed(answer)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: httpx.Timeout | None = _TIMEOUT,
        **query: str,
    ) -> Any:
        try:
            answer = await self._http.request(
                method, path, json=body, params=query or None, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if not answer.is_success and answer.status_code != httpx.codes.NOT_MODIFIED:
            raise EngineError(
                f"The container engine refused: {_reason(answer)}", answer=answer.status_code
            )
        return answer.json() if answer.content else {}

    def _silent(self, error: httpx.HTTPError) -> EngineError:
        return EngineError(
            f"The container engine at `{self._socket}` does not answer: "
            f"{str(error) or type(error).__name__}."
        )


class Printed:
    """What a container prints: frames of a kind, a length and that many bytes.

    Nothing is read ahead, so a container that prints without end waits for its reader.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._chunks = answer.aiter_raw()
        self._head = b""
        self._left = 0
        self._rest = b""
        self._reading: asyncio.Task[bytes] | None = None
        self._closed = False

    async def read(self, most: int) -> bytes:
        """Return the next piece, at most `most` bytes; empty at the end."""
        while True:
            if not self._rest:
                self._rest = await self._chunk()
                if not self._rest:
                    return b""
            if self._left:
                piece = self._rest[: min(most, self._left)]
                self._left -= len(piece)
                self._rest = self._rest[len(piece) :]
                return piece
            missing = _FRAME_HEAD - len(self._head)
            self._head, self._rest = self._head + self._rest[:missing], self._rest[missing:]
            if len(self._head) == _FRAME_HEAD:
                self._left, self._head = int.from_bytes(self._head[4:], "big"), b""

    async def aclose(self) -> None:
        """End the reading; who reads now gets the end.

        Closing the answer alone would leave a reader waiting for ever where the engine has
        not noticed the container's end itself.
        """
        self._closed = True
        if self._reading is not None and not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._answer.aclose()

    async def _chunk(self) -> bytes:
        """Return the next bytes of the answer; empty at the end."""
        if self._closed:
            return b""
        self._reading = asyncio.create_task(self._receive())
        try:
            return await self._reading
        except asyncio.CancelledError:
            if self._closed:
                return b""
            raise

    async def _receive(self) -> bytes:
        try:
            while not (chunk := await anext(self._chunks)):
                pass
            return chunk
        except (StopAsyncIteration, httpx.HTTPError, httpx.StreamError):
            return b""


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
