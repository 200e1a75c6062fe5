"""What rules and questions do in real OpenCode servers."""

from typing import Any

import pytest

from growqr.opencode import (
    Asked,
    Finished,
    Progress,
    ToolFinished,
    Workspace,
    WorkspaceFile,
)
from growqr.opencode.config import rules_in_force
from growqr.opencode.types import (
    QuestionGone,
)
from tests.opencode.conftest import BOTH, Running, ask, scripted, spec
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    call,
    serve,
    tool_results,
)

pytestmark = [pytest.mark.anyio, pytest.mark.live]


def tool_ends(progress: list[Progress]) -> list[ToolFinished]:
    return [item for item in progress if isinstance(item, ToolFinished)]


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
