import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from growqr.models.gateway import ModelGateway
from growqr.opencode import (
    Progress,
    StatusChanged,
    Workspace,
    WorkspaceEvent,
    Workspaces,
    WorkspaceSpec,
)
from growqr.opencode.rules import Rules
from growqr.settings import ModelSettings, SandboxSettings, Settings
from tests.support.scripted_model import ScriptedModel

Runtime = dict[str, str]
"""Settings of one sandbox runtime."""
Running = Callable[..., AbstractAsyncContextManager[Workspaces]]


def spec(name: str = "w1", *, user: str = "1", **rules: Any) -> WorkspaceSpec:
    # control groups have the id's name, and another run of the tests may be at work
    own_id = f"wsp_{name}_{os.getpid()}"
    return WorkspaceSpec(own_id, f"usr_{user}", f"act_{name}", Rules(**rules))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A container engine of this test run's own: Podman's API on a Unix socket."""
    podman, runc = shutil.which("podman"), shutil.which("runc")
    if podman is None or runc is None or os.geteuid() != 0:
        pytest.skip("containers need root, podman and runc: apt-get install podman runc")
    image = SandboxSettings().image
    if subprocess.run([podman, "image", "exists", image]).returncode != 0:
        pytest.skip(f"there is no image {image}: run deploy/build-image")
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=512:512"]
    trial = [podman, "--runtime", "runc", "run", "--rm", "--network", "none", *limits, image]
    tried = subprocess.run([*trial, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"this host runs no containers: {tried.stderr.strip()[-300:]}")
    socket = tmp_path_factory.mktemp("engine") / "podman.sock"
    # Podman leaves notes in the folder it was started from.
    command = [podman, "--runtime", "runc", "system", "service", "--time=0", f"unix://{socket}"]
    environment = {**os.environ, "http_proxy": "http://user:host-proxy-password@192.0.2.1:1"}
    service = subprocess.Popen(
        command, cwd=socket.parent, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(socket):
            assert service.poll() is None, "podman's service ended"
            time.sleep(0.02)
        yield str(socket)
    finally:
        service.kill()  # asked politely, it would wait for its connections
        service.wait()


def _answers(socket: Path) -> bool:
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
            return client.get("http://engine/_ping").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Settings of the sandbox runtime; tests of both take the parameters `BOTH`."""
    kind = getattr(request, "param", "bubblewrap")
    more = {"engine": request.getfixturevalue("engine")} if kind == "container" else {}
    return {"runtime": kind, **more}


BOTH = pytest.mark.parametrize("runtime", ["bubblewrap", "container"], indirect=True)


@pytest.fixture
def running(tmp_path: Path, runtime: Runtime) -> Running:
    """Give `running(model=…, **sandbox settings)`: workspaces that are stopped at the end."""

    @asynccontextmanager
    async def open_all(
        model: ModelSettings | None = None, **sandbox: Any
    ) -> AsyncIterator[Workspaces]:
        settings = Settings(
            data_dir=tmp_path / "data",
            model=model or ModelSettings(),
            sandbox=SandboxSettings(**{**runtime, **sandbox}),
        )
        gateway = ModelGateway(settings.model)
        workspaces = Workspaces(settings, gateway)
        try:
            yield workspaces
        finally:
            await workspaces.aclose()
            await gateway.aclose()

    return open_all


async def ask(workspace: Workspace, text: str, session_id: str | None = None) -> list[Progress]:
    """Prompt, in a new session unless one is given, and return all that happened."""
    session_id = session_id or await workspace.create_session("Test")
    return [progress async for progress in workspace.prompt(session_id, text)]


async def until(events: AsyncIterator[WorkspaceEvent], state: str) -> StatusChanged:
    async for event in events:
        if isinstance(event, StatusChanged) and event.status.state == state:
            return event
    raise AssertionError("the events ended")


def state_of(workspace: Workspace) -> str:
    return workspace.status.state


def scripted(model: ScriptedModel) -> ModelSettings:
    return ModelSettings(
        provider="openai-compatible",
        name="scripted",
        base_url=model.base_url,
        api_key=SecretStr("real-key"),
    )
