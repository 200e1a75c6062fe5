"""The Docker Engine API, which Docker and Podman both serve, as far as workspaces need it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from growqr.opencode.container_output import Printed
from growqr.opencode.types import SandboxUnavailable
from growqr.opencode.unix_http import unix_transport

_API = "http://engine/v1.41"
_SECONDS = 30
"""In which the engine has answered a call, whatever it is."""
_REMOVE_SECONDS = 20
_AGAIN_SECONDS = 0.2
_USUAL_SOCKETS = (Path("/run/podman/podman.sock"), Path("/var/run/docker.sock"))


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
    """Typed calls on one engine, each of which ends in bounded time; close it with `aclose`.

    Ten calls of one API: a library for all of it would bring a second HTTP stack along.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._http = httpx.AsyncClient(
            # one of them stays open for each running container
            transport=unix_transport(socket, max_connections=None),
            base_url=_API,
            timeout=httpx.Timeout(None, connect=5),  # each call has a deadline as a whole
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

    async def remove(self, container: str) -> None:
        """End the container at once and forget it; one that is gone is fine.

        Raises:
            EngineError: the engine does not answer, or did not do it in 20 s.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + _REMOVE_SECONDS
        while True:
            try:
                await self._call("DELETE", f"/containers/{container}", force="true", v="true")
            except EngineError as error:
                if error.answer == httpx.codes.NOT_FOUND:
                    return
                if error.answer is None or clock() > until:
                    raise
                # Podman refuses one that ends just now, Docker one that it already removes
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def labelled(self, *labels: str) -> list[tuple[str, Mapping[str, str]]]:
        """Return id and labels of the containers, stopped ones too, that have these labels."""
        filters = json.dumps({"label": list(labels)})
        found = await self._call("GET", "/containers/json", all="true", filters=filters)
        return [(str(item["Id"]), item.get("Labels") or {}) for item in found]

    async def attach(self, container: str) -> Printed:
        """Read what the container prints from now on."""
        request = self._http.build_request(
            "POST",
            f"/containers/{container}/attach",
            params={"stream": "1", "stdout": "1", "stderr": "1"},
        )
        async with self._deadline():
            answer = await self._http.send(request, stream=True)
        if answer.status_code != httpx.codes.OK:
            await answer.aclose()
            raise EngineError("The container engine does not attach.", answer=answer.status_code)
        return Printed(answer)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        **query: str,
    ) -> Any:
        async with self._deadline():
            answer = await self._http.request(method, path, json=body, params=query or None)
        if not answer.is_success and answer.status_code != httpx.codes.NOT_MODIFIED:
            raise EngineError(
                f"The container engine refused: {_reason(answer)}", answer=answer.status_code
            )
        return answer.json() if answer.content else {}

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """Bound a call and translate what goes wrong with its transport."""
        try:
            async with asyncio.timeout(_SECONDS):
                yield
        except TimeoutError as error:
            raise EngineError(
                f"The container engine at `{self._socket}` did not answer in {_SECONDS} s."
            ) from error
        except httpx.HTTPError as error:
            raise EngineError(
                f"The container engine at `{self._socket}` does not answer: "
                f"{str(error) or type(error).__name__}."
            ) from error


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
