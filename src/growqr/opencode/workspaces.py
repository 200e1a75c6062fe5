"""All workspaces of one worker process."""

import asyncio

from growqr.opencode.bubblewrap import BubblewrapSandbox
from growqr.opencode.container import ContainerSandbox
from growqr.opencode.line import Line, MostOf
from growqr.opencode.logs import delete_log
from growqr.opencode.places import Places
from growqr.opencode.sandbox import Gateway, Sandbox
from growqr.opencode.types import SandboxUnavailable, WorkspaceSpec
from growqr.opencode.workspace import Workspace
from growqr.settings import Settings


class Workspaces:
    """Hands out workspaces and lets at most `sandbox.max_running` of their servers run.

    Those who wait get places in fair turns (`Line`). An idle server, and one whose turn waits
    for a person, gives its place up as soon as somebody else waits.
    """

    def __init__(
        self,
        settings: Settings,
        gateway: Gateway,
        *,
        sandbox: Sandbox | None = None,
        most_of: MostOf | None = None,
    ) -> None:
        """`most_of` says how many servers a person's plan lets run; None: no plan does."""
        self._settings = settings
        self._gateway = gateway
        self._sandbox = sandbox or make_sandbox(settings)
        self._places = Places(settings.data_dir, settings.sandbox.first_uid)
        self._workspaces: dict[str, Workspace] = {}
        self._line = Line(
            settings.sandbox.max_running, settings.sandbox.max_running_per_user, most_of
        )
        self._opening = asyncio.Lock()
        self._swept = False
        self._closed = False

    async def get(self, spec: WorkspaceSpec) -> Workspace:
        """Return the workspace, always the same object for one id; it is not started."""
        async with self._opening:
            if self._closed:
                raise SandboxUnavailable("This worker is shutting down.")
            if not self._swept:
                await asyncio.to_thread(self._places.end_orphans)
                await self._sandbox.end_orphans()
                self._swept = True
            found = self._workspaces.get(spec.id)
            if found is None:
                place = await asyncio.to_thread(self._places.prepare, spec)
                found = self._workspaces[spec.id] = Workspace(
                    spec,
                    place,
                    settings=self._settings,
                    places=self._places,
                    sandbox=self._sandbox,
                    gateway=self._gateway,
                    line=self._line,
                )
            await found.adopt(spec.rules)
            return found

    async def remove(self, spec: WorkspaceSpec) -> None:
        """Stop the server and delete the workspace with all that it holds; safe to repeat."""
        async with self._opening:
            found = self._workspaces.pop(spec.id, None)
            if found is not None:
                await found.aclose()
            await asyncio.to_thread(self._places.remove, spec)
            delete_log(self._settings.data_dir, spec.id)

    async def aclose(self) -> None:
        """Stop every server and wait until all are gone."""
        async with self._opening:
            self._closed = True
        await asyncio.gather(*(workspace.aclose() for workspace in self._workspaces.values()))
        self._workspaces.clear()
        await self._sandbox.aclose()


def make_sandbox(settings: Settings) -> Sandbox:
    """Return the runtime that the settings name; it looks for what it needs at the first start."""
    if settings.sandbox.runtime == "container":
        return ContainerSandbox(
            settings.sandbox.image, settings.sandbox.engine, data_dir=settings.data_dir
        )
    return BubblewrapSandbox()
