"""The life of real OpenCode servers in real sandboxes, with the offline model."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from growqr.errors import Conflict
from growqr.opencode import (
    Asked,
    Finished,
    Progress,
    Said,
    StatusChanged,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    Workspace,
    WorkspaceEvent,
    WorkspaceFile,
    upkeep,
)
from growqr.opencode.config import rules_in_force
from growqr.opencode.server import Server
from growqr.opencode.types import (
    QuestionGone,
    SandboxUnavailable,
    SessionMissing,
    WorkspaceFailed,
)
from growqr.settings import ModelSettings
from tests.opencode.conftest import BOTH, Running, ask, spec
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    ScriptedModel,
    call,
    serve,
    tool_results,
)

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def until(events: AsyncIterator[WorkspaceEvent], state: str) -> StatusChanged:
    async for event in events:
        if isinstance(event, StatusChanged) and event.status.state == state:
            return event
    raise AssertionError("the events ended")


def state_of(workspace: Workspace) -> str:
    return workspace.status.state


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
async def test_commands_give_way_when_processors_are_scarce(running: Running) -> None:
    async with running() as workspaces:
        progress = await ask(await workspaces.get(spec()), "run: nice")
        assert ToolFinished("bash", "nice", "10\n", 0) in progress


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


async def test_an_idle_server_leaves_its_place_to_who_waits(running: Running) -> None:
    async with running(max_running=1) as workspaces:
        first, second = await workspaces.get(spec("a")), await workspaces.get(spec("b"))
        await first.start()
        await second.start()
        assert (state_of(first), state_of(second)) == ("stopped", "ready")
        assert first.status.reason == "another task needed its place"


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


async def test_an_unknown_session_is_refused(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        for session_id in ("ses_0000000000000000000000000000", "../../config"):
            with pytest.raises(SessionMissing):
                await ask(workspace, "run: true", session_id)
        assert state_of(workspace) == "idle"


@BOTH
async def test_a_workspaces_own_configuration_counts_for_nothing(running: Running) -> None:
    config = b'{"permission":{"webfetch":"allow"},"agent":{"build":{"permission":{"*":"deny"}}}}'
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        names = ("opencode.json", ".opencode/opencode.json")
        await workspace.write_files([WorkspaceFile(name, config) for name in names])
        assert isinstance((await ask(workspace, "run: true"))[-1], Finished)
        assert await _follows_the_rules(workspace)


async def _follows_the_rules(workspace: Workspace) -> bool:
    assert workspace._server is not None
    agents = await workspace._server.client.agents()
    return rules_in_force(agents, workspace.spec.rules)


@BOTH
async def test_a_read_only_workspace_can_be_read(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec(read_only=True))
        await workspace.write_files([WorkspaceFile("a.txt", b"kept")])
        progress = await ask(workspace, "run: cat a.txt\nrun: echo x > a.txt")
        results = [item for item in progress if isinstance(item, ToolFinished)]
        assert results[0].output == "kept"
        assert "Read-only file system" in results[1].output
        assert await workspace.files() == [WorkspaceFile("a.txt", b"kept")]


async def test_new_rules_stop_a_server_that_runs_under_the_old_ones(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        await workspace.start()
        assert await workspaces.get(spec(read_only=True)) is workspace
        assert workspace.status.reason == "what its agent may do has changed"
        results = tool_ends(await ask(workspace, "run: touch a.txt"))
        assert "Read-only file system" in results[0].output


def tool_ends(progress: list[Progress]) -> list[ToolFinished]:
    return [item for item in progress if isinstance(item, ToolFinished)]


def scripted(model: ScriptedModel) -> ModelSettings:
    return ModelSettings(
        provider="openai-compatible",
        name="scripted",
        base_url=model.base_url,
        api_key=SecretStr("real-key"),
    )


async def test_lists_of_commands_hold_as_far_as_opencodes_rules_go(running: Running) -> None:
    commands = ["ls", "echo kept", "echo secret", "cat x", "echo x; touch y", "touch ok"]

    def script(request: Request) -> Answer:
        done = len(tool_results(request))
        return call("bash", command=commands[done]) if done < len(commands) else Say("done")

    rules: dict[str, Any] = {
        "allow": ("echo *", "cat *", "touch *"),
        "ask": ("touch *",),
        "deny": ("cat *",),
    }
    with serve(script) as model:
        async with running(scripted(model)) as workspaces:
            workspace = await workspaces.get(spec(**rules))
            session_id = await workspace.create_session("Test")
            seen, reasons = [], set()
            async for item in workspace.prompt(session_id, "Work"):
                seen.append(item)
                reasons.add(workspace.status.reason)
                if isinstance(item, Asked):
                    allow = "ok" in item.question
                    await workspace.decide(session_id, item.id, allow=allow, why="Not now.")
                    with pytest.raises(QuestionGone):
                        await workspace.decide(session_id, item.id, allow=True, why="")
            ends = {item.title: item for item in tool_ends(seen)}
            assert isinstance(seen[-1], Finished)
            assert [f.path for f in await workspace.files()] == ["ok"]
    assert [name for name, end in ends.items() if end.exit_code == 0] == [
        "echo kept",
        "echo secret",
        "touch ok",
    ]
    for name in ("ls", "cat x"):
        assert "a rule which prevents you" in ends[name].output
    assert "with the following feedback: Not now." in ends["echo x; touch y"].output
    assert reasons == {"works on a prompt", "waits for an answer: May I run this command?"}


async def test_a_question_waits_for_its_answer(running: Running) -> None:
    def script(request: Request) -> Answer:
        if results := tool_results(request):
            return Say(results[-1])
        option = {"label": "Red", "description": "the colour"}
        question = {"question": "Which colour?", "header": "Colour", "options": [option]}
        return call("question", questions=[question])

    with serve(script) as model:
        async with running(scripted(model)) as workspaces:
            workspace = await workspaces.get(spec())
            session_id = await workspace.create_session("Test")
            seen = []
            async for item in workspace.prompt(session_id, "Paint it"):
                seen.append(item)
                if isinstance(item, Asked):
                    assert (item.question, item.options) == ("Which colour?", ("Red",))
                    with pytest.raises(QuestionGone):
                        await workspace.answer(session_id, "que_other", "Blue")
                    await workspace.answer(session_id, item.id, "Blue")
            assert isinstance(seen[-1], Finished)
            assert "Blue" in seen[-1].text
            assert model.keys == {"real-key"}
