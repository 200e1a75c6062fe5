"""The repo agent on a real engine and forge: by rules, and with a model that calls its tools."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sqlalchemy import update

from growqr.db.tables import ActorRow
from growqr.git.forge import Author, Change, CommitRequest
from growqr.git.repos import ref_of
from tests.support.household import Household, household

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def change_on(home: Household, project: str, branch: str) -> None:
    row = await home.repos.by_name(home.repo.owner_id, project)
    ada = Author(home.repo.owner_id, "Ada")
    changes = [Change("beds.md", b"# Beds\n")]
    await home.forge.commit(ref_of(row), CommitRequest(branch, "Add beds\n", ada, changes))


async def test_requests_are_carried_out_without_a_model(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        done = await home.ask(
            "repo", "create a project garden: my beds\ncreate branch dev in garden"
        )
        assert "The project `garden` is there" in done
        assert "Branch `dev` of `garden`" in done
        refused = await home.ask("repo", "open a pull request from dev in garden: Beds")
        assert "adds nothing" in refused
        await change_on(home, "garden", "dev")
        opened = await home.ask("repo", "open a pull request from dev in garden: Beds")
        assert "Pull request #1 of `garden` is open: Beds" in opened
        shown = await home.ask("repo", "list repos\nlist pull requests in garden\nlist commits")
        assert "`garden` (project)" in shown
        assert "#1 open: Beds" in shown
        assert "I understand one of these a line" in await home.ask("repo", "sing")


async def test_what_is_not_there_or_not_allowed_is_refused(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine) as home:
        assert "no such repository" in await home.ask("repo", "list branches in somebody-elses")
        async with home.db.session() as session:
            await session.execute(
                update(ActorRow).where(ActorRow.name == "repo").values(capabilities="")
            )
        # Rights are read anew at each start of the actor.
        await home.stop()
        await home.start()
        assert "lacks `git.branch`" in await home.ask("repo", "create a project garden")
        assert len(await home.repos.list(home.repo.owner_id)) == 1


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Make a project, try a branch that can't be, then repeat what the tools said."""
    told = tool_results(messages)
    if not told:
        return ModelResponse([ToolCallPart("create_project", {"name": "garden"})])
    if len(told) == 1:
        call = ToolCallPart("create_branch", {"name": "x..y", "repo": "garden"})
        return ModelResponse([call])
    return ModelResponse([TextPart("\n".join(told))])


def tool_results(messages: Sequence[ModelMessage]) -> list[str]:
    return [
        str(part.content)
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]


async def test_a_model_uses_the_same_operations_as_tools(tmp_path: Path, engine: str) -> None:
    async with household(tmp_path, engine, FunctionModel(script)) as home:
        answer = await home.ask("repo", "I want a place for my garden")
        assert "The project `garden` is there" in answer
        assert "Refused: `x..y` can't be the name of a branch" in answer
        logged = [e["data"]["text"] for e in await home.log("repo") if e["type"] == "task.log"]
        assert len(logged) == 2


async def test_a_model_that_never_ends_is_stopped(tmp_path: Path, engine: str) -> None:
    def endless(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([ToolCallPart("list_repos", {})])

    async with household(tmp_path, engine, FunctionModel(endless)) as home:
        assert "The model could not do this" in await home.ask("repo", "Go on for ever")
