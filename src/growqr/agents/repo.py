"""The repo agent: looks after its user's repositories, branches and pull requests."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import Tool
from pydantic_ai.usage import UsageLimits

from growqr.agents import repo_requests
from growqr.agents.job import TaskFailed, TaskJob
from growqr.agents.repo_operations import RepoOperations
from growqr.agents.services import AgentServices
from growqr.agents.subagent import SubAgent
from growqr.errors import GrowError
from growqr.events import TaskResult
from growqr.models.provider import is_offline

INSTRUCTIONS = (
    "You look after one user's Git repositories with your tools. Do exactly what the task asks, "
    "then say in a few sentences what you did and what you found, with names and numbers as the "
    "tools gave them. If a tool refuses, say so and why; never claim what no tool did."
)


class RepoAgent(SubAgent):
    """Its operations bear repetition, so a task that a crash interrupted simply runs again."""

    def __init__(self, services: AgentServices) -> None:
        super().__init__(services)
        settings = services.settings.model
        self._limits = UsageLimits(request_limit=settings.max_turn_steps)
        self._model_settings = ModelSettings(request_timeout=settings.request_seconds)

    async def run_task(self, job: TaskJob) -> TaskResult:
        operations = RepoOperations(self.spec, self.services.repos, self.services.forge)
        if is_offline(self.services.model):
            summary = await self._by_rules(job, operations)
        else:
            summary = await self._by_model(job, operations)
        return TaskResult(summary=summary)

    async def _by_rules(self, job: TaskJob, operations: RepoOperations) -> str:
        requests, unknown = repo_requests.parse_requests(job.task.prompt)
        if not requests:
            raise TaskFailed(f"I did not understand this.\n\n{repo_requests.HELP}")
        done: list[str] = []
        for number, request in enumerate(requests):
            try:
                done.append(await operations.carry_out(request))
            except GrowError as error:
                so_far = "\n\n".join(done)
                raise TaskFailed(
                    f"{error.detail}\n\nDone before that:\n\n{so_far}".strip()
                ) from error
            await job.log("repo", done[-1])
            await job.progress((number + 1) / len(requests), done[-1].splitlines()[0])
        if unknown:
            listed = "\n".join(f"- {line}" for line in unknown)
            done.append(f"I did not understand these lines:\n\n{listed}")
        return "\n\n".join(done)

    async def _by_model(self, job: TaskJob, operations: RepoOperations) -> str:
        agent = Agent(
            self.services.model,
            instructions=INSTRUCTIONS,
            tools=[_logged(job, operation) for operation in _tools(operations)],
            model_settings=self._model_settings,
        )
        try:
            answer = await agent.run(job.task.prompt, usage_limits=self._limits)
        except AgentRunError as error:
            raise TaskFailed(f"The model could not do this: {error.message[:500]}") from error
        return answer.output


def _tools(operations: RepoOperations) -> list[Callable[..., Awaitable[str]]]:
    return [
        operations.create_project,
        operations.create_branch,
        operations.open_pull_request,
        operations.list_repos,
        operations.list_branches,
        operations.list_commits,
        operations.list_pull_requests,
    ]


def _logged(job: TaskJob, operation: Callable[..., Awaitable[str]]) -> Tool[None]:
    """Return the operation as a tool that logs its outcome and tells the model of refusals."""

    async def call(**arguments: Any) -> str:
        try:
            outcome = await operation(**arguments)
        except GrowError as error:
            outcome = f"Refused: {error.detail}"
        await job.log("repo", outcome)
        return outcome

    schema = Tool(operation).tool_def
    return Tool.from_schema(
        call, schema.name, schema.description, schema.parameters_json_schema, sequential=True
    )
