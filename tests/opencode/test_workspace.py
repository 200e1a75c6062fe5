"""Prompts to real OpenCode servers in real sandboxes, with the offline model."""

import asyncio
from typing import Any

import pytest

from growqr.errors import Conflict
from growqr.opencode import (
    Finished,
    Said,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    WorkspaceFile,
)
from growqr.opencode.turn import DROPPED
from growqr.opencode.types import (
    SessionMissing,
)
from tests.opencode.conftest import BOTH, Running, Runtime, ask, spec, state_of, until

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@BOTH
async def test_a_prompt_writes_a_file_and_runs_it(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        assert state_of(workspace) == "provisioned"
        assert await workspaces.get(spec()) is workspace
        progress = await ask(workspace, "```python hi.py\nprint(6 * 7)\n```\nrun: python3 hi.py")
        assert progress[:4] == [
            ToolStarted("write", "hi.py"),
            ToolFinished("write", "hi.py", "Wrote file successfully.", None, paths=("hi.py",)),
            ToolStarted("bash", "python3 hi.py"),
            ToolFinished("bash", "python3 hi.py", "42\n", 0),
        ]
        said, finished = progress[4:]
        assert isinstance(said, Said)
        assert finished == Finished(said.text, 0)
        assert "```\n42\n```" in said.text
        assert await workspace.files() == [WorkspaceFile("hi.py", b"print(6 * 7)\n")]
        assert state_of(workspace) == "idle"
        assert any("server listening" in line.text for line in workspace.logs())
    assert state_of(workspace) == "stopped"


async def test_a_failed_command_shows_its_exit_code(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        progress = await ask(workspace, "run: echo oops >&2; exit 3")
        finished = next(item for item in progress if isinstance(item, ToolFinished))
        assert (finished.exit_code, finished.failed) == (3, True)
        assert finished.output.startswith("oops\n")
        assert isinstance(progress[-1], Finished)
        assert "ended with exit code 3" in progress[-1].text


@BOTH
async def test_commands_give_way_when_processors_are_scarce(
    running: Running, runtime: Runtime
) -> None:
    niceness = {"bubblewrap": 15, "container": 10}[runtime["runtime"]]
    async with running() as workspaces:
        progress = await ask(await workspaces.get(spec()), "run: nice")
        assert ToolFinished("bash", "nice", f"{niceness}\n", 0) in progress


async def test_files_from_outside_are_seen_inside_and_back(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        tool = WorkspaceFile("bin/tool", b"#!/bin/sh\necho from outside\n", executable=True)
        await workspace.write_files([tool])
        progress = await ask(workspace, "run: bin/tool; rm bin/tool; ln -s /etc/passwd link")
        assert ToolFinished("bash", progress[0].title, "from outside\n", 0) in progress  # type: ignore[union-attr]
        assert await workspace.files() == []
        assert (await workspace.snapshot()).skipped == {"link": "a link"}


@BOTH
async def test_sessions_stay_over_a_stop_and_a_new_process(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        await ask(workspace, "run: echo one > file", session_id)
        await workspace.stop("because")
        assert (state_of(workspace), workspace.status.reason) == ("stopped", "because")
        assert workspace.server_pid is None
        progress = await ask(workspace, "run: cat file", session_id)
        assert ToolFinished("bash", "cat file", "one\n", 0) in progress
    async with running() as workspaces:
        progress = await ask(await workspaces.get(spec()), "run: cat file", session_id)
        assert isinstance(progress[-1], Finished)


@BOTH
async def test_a_turn_outlives_a_broken_connection(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        progress = await ask(workspace, "run: pkill python3\nrun: echo still here", session_id)
        finished = [item for item in progress if isinstance(item, ToolFinished)]
        assert [item.title for item in finished] == ["pkill python3", "echo still here"]
        assert isinstance(progress[-1], Finished)


async def test_abort_ends_the_turn_and_its_commands(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        last = None
        async for last in workspace.prompt(session_id, "run: sleep 60\nrun: touch never"):
            if isinstance(last, ToolStarted):
                await workspace.abort(session_id)
        assert last == TurnFailed("The work was stopped.", retryable=False, aborted=True)
        # what was aborted does not show up in the next turn
        assert await ask(workspace, "run: ls", session_id) == [
            ToolStarted("bash", "ls"),
            ToolFinished("bash", "ls", "(no output)", 0),
            Said(text := "(offline model) Done.\n- Ran `ls`:\n```\n(no output)\n```"),
            Finished(text, 0),
        ]


async def test_abort_while_the_server_starts(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        await workspace.stop()
        asking = asyncio.create_task(ask(workspace, "run: touch never", session_id))
        async with workspace.watch() as events:
            await until(events, "starting")
            await workspace.abort(session_id)
        last = (await asking)[-1]
        assert isinstance(last, TurnFailed)
        assert last.aborted
        assert await workspace.files() == []


async def test_leaving_the_loop_aborts_the_turn(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        turn = workspace.prompt(session_id, "run: sleep 60\nrun: touch never")
        assert isinstance(await anext(turn), ToolStarted)
        with pytest.raises(Conflict, match="another prompt"):
            await ask(workspace, "run: true", session_id)
        await turn.aclose()
        assert state_of(workspace) == "idle"
        assert isinstance((await ask(workspace, "run: ls", session_id))[-1], Finished)
        assert await workspace.files() == []


async def test_a_prompt_left_before_the_model_was_asked_makes_no_later_one_a_success(
    running: Running,
) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        async with workspace.watch() as events:
            leaving = asyncio.create_task(ask(workspace, "run: true", session_id))
            await until(events, "busy")
        leaving.cancel()
        await asyncio.wait([leaving])
        progress = await ask(workspace, "run: echo hi", session_id)
        if progress[-1] == DROPPED:  # nearly always; it depends on how far OpenCode was
            progress = await ask(workspace, "run: echo hi", session_id)
        assert ToolFinished("bash", "echo hi", "hi\n", 0) in progress
        assert isinstance(progress[-1], Finished)


@pytest.mark.parametrize(
    ("limit", "prompt", "reason"),
    [
        ({"task_seconds": 2}, "run: sleep 60", "took longer than 2 s"),
        ({"max_steps": 1}, "run: true\nrun: touch never", "not finish in 1 steps"),
    ],
)
async def test_limits_end_a_turn(
    running: Running, limit: dict[str, Any], prompt: str, reason: str
) -> None:
    async with running(**limit) as workspaces:
        workspace = await workspaces.get(spec())
        last = (await ask(workspace, prompt))[-1]
        assert isinstance(last, TurnFailed)
        assert reason in last.reason
        assert not last.retryable
        assert state_of(workspace) == "idle"


async def test_an_unknown_session_is_refused(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        for session_id in ("ses_0000000000000000000000000000", "../../config"):
            with pytest.raises(SessionMissing):
                await ask(workspace, "run: true", session_id)
        assert state_of(workspace) == "idle"
