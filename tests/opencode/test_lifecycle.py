"""When real OpenCode servers start, stop, wait for a place, and die."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from growqr.opencode import (
    Asked,
    Finished,
    ToolStarted,
    TurnFailed,
    upkeep,
)
from growqr.opencode.server import Server
from growqr.opencode.types import (
    SandboxUnavailable,
    WorkspaceFailed,
)
from tests.opencode.conftest import BOTH, Running, ask, scripted, spec, state_of, until
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    call,
    serve,
    tool_results,
)

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def test_an_idle_server_leaves_its_place_to_who_waits(running: Running) -> None:
    async with running(max_running=1) as workspaces:
        first, second = await workspaces.get(spec("a")), await workspaces.get(spec("b"))
        await first.start()
        await second.start()
        assert (state_of(first), state_of(second)) == ("stopped", "ready")
        assert first.status.reason == "another task needed its place"
        held = [str(name.readlink()) for name in Path("/proc/self/fd").iterdir() if name.exists()]
        assert [f"{w.spec.id}.log" in " ".join(held) for w in (first, second)] == [False, True]


async def test_who_waits_for_a_place_says_so_and_a_turn_that_waits_for_a_person_gives_its_up(
    running: Running,
) -> None:
    def script(request: Request) -> Answer:
        if tool_results(request):
            return Say("asked")
        return call("question", questions=[{"question": "Which?", "header": "W", "options": []}])

    with serve(script) as model:
        async with running(scripted(model), max_running=1) as workspaces:
            first, second = (
                await workspaces.get(spec("a")),
                await workspaces.get(spec("b", user="2")),
            )
            session_id = await first.create_session("Test")
            turn = first.prompt(session_id, "Work")
            asked = await anext(turn)
            while not isinstance(asked, Asked):
                asked = await anext(turn)
            async with second.watch() as events:
                await second.start()
                assert (await until(events, "starting")).status.reason == "is next in line"
            assert isinstance([item async for item in turn][-1], TurnFailed)
            reason = "another task needed its place while it waited for an answer"
            assert (state_of(first), first.status.reason) == ("stopped", reason)
            with pytest.raises(WorkspaceFailed):
                await first.answer(session_id, asked.id, "this one")


async def test_an_idle_server_stops_by_itself(running: Running) -> None:
    async with running(idle_seconds=0.1) as workspaces:
        workspace = await workspaces.get(spec())
        async with workspace.watch() as events:
            await workspace.start()
            assert (await until(events, "stopped")).status.reason == "it was idle"


async def test_stop_ends_a_start_under_way(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        async with workspace.watch() as events:
            starting = asyncio.create_task(workspace.start())
            await until(events, "starting")
            await workspace.stop()
        with pytest.raises(WorkspaceFailed, match="stopped while it started"):
            await starting
        assert state_of(workspace) == "stopped"
        await workspace.start()
        assert state_of(workspace) == "ready"


async def test_a_missing_program_is_a_reason(running: Running, tmp_path: Path) -> None:
    async with running(opencode=tmp_path / "absent") as workspaces:
        workspace = await workspaces.get(spec())
        with pytest.raises(SandboxUnavailable, match="GROWQR_SANDBOX__OPENCODE"):
            await workspace.start()
        assert state_of(workspace) == "failed"
        assert "absent" in (workspace.status.reason or "")


async def test_a_broken_program_is_a_reason(running: Running, tmp_path: Path) -> None:
    broken = tmp_path / "opencode"
    broken.write_text("#!/bin/sh\necho out of order\nexit 7\n")
    broken.chmod(0o755)
    async with running(opencode=broken) as workspaces:
        workspace = await workspaces.get(spec())
        with pytest.raises(WorkspaceFailed, match=r"exit code 7.*out of order"):
            await workspace.start()
        assert state_of(workspace) == "failed"


@BOTH
async def test_a_killed_server_is_noticed_and_the_next_start_works(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        progress = []
        async with workspace.watch() as events:
            async for item in workspace.prompt(session_id, "run: sleep 60"):
                progress.append(item)
                if isinstance(item, ToolStarted):
                    assert workspace.server_pid is not None
                    os.kill(workspace.server_pid, signal.SIGKILL)
            await until(events, "failed")
        failed = progress[-1]
        assert isinstance(failed, TurnFailed)
        assert (failed.retryable, failed.aborted) == (True, False)
        assert re.search("signal 9|killed", failed.reason)
        assert workspace.status.reason == failed.reason
        assert isinstance((await ask(workspace, "run: true", session_id))[-1], Finished)


async def test_a_stop_ends_the_turn_however_long_it_takes(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the stop is under way the turn looks for its server, which answers no more."""
    looked = asyncio.Event()
    look = Server.ended_within

    async def count(server: Server, seconds: float) -> bool:
        if seconds != upkeep.SECONDS:
            looked.set()
        return await look(server, 0)

    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        assert workspace._server is not None
        sandbox = workspace._server._running
        kill = sandbox.kill

        async def slowly() -> None:
            await looked.wait()
            await kill()

        monkeypatch.setattr(sandbox, "kill", slowly)
        monkeypatch.setattr(Server, "ended_within", count)
        last = None
        async for last in workspace.prompt(session_id, "run: sleep 60"):
            if isinstance(last, ToolStarted):
                stopping = asyncio.create_task(workspace.stop("because"))
        await stopping
        assert isinstance(last, TurnFailed)
        assert "because" in last.reason
        assert state_of(workspace) == "stopped"
