from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from growqr.models.gateway import ModelGateway
from growqr.opencode import Progress, Workspace, Workspaces, WorkspaceSpec
from growqr.settings import ModelSettings, SandboxSettings, Settings

Running = Callable[..., AbstractAsyncContextManager[Workspaces]]


def spec(name: str = "w1", **more: Any) -> WorkspaceSpec:
    return WorkspaceSpec(id=f"wsp_{name}", user_id="usr_1", actor_id=f"act_{name}", **more)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """Give `running(model=…, **sandbox settings)`: workspaces that are stopped at the end."""

    @asynccontextmanager
    async def open_all(
        model: ModelSettings | None = None, **sandbox: Any
    ) -> AsyncIterator[Workspaces]:
        settings = Settings(
            data_dir=tmp_path / "data",
            model=model or ModelSettings(),
            sandbox=SandboxSettings(**sandbox),
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
