"""A task done by the model with a few tools, each of which bears repetition."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import Tool
from pydantic_ai.usage import RunUsage, UsageLimits

from growqr.agents.job import TaskFailed, TaskJob
from growqr.errors import GrowError

Operation = Callable[..., Awaitable[str]]


async def work_with_tools(
    job: TaskJob, model: Model, instructions: str, tools: Sequence[Tool[None]]
) -> str:
    """Run the task's prompt to its end and return the model's last words; raises TaskFailed."""
    services = job.agent.services
    settings = services.settings.model
    agent = Agent(
        model,
        instructions=instructions,
        tools=tools,
        model_settings=ModelSettings(request_timeout=settings.request_seconds),
    )
    limits = UsageLimits(request_limit=settings.max_turn_steps)
    user_id, used = job.agent.spec.user_id, RunUsage()
    await services.entitlements.require(user_id, job.agent.spec.name)
    try:
        answer = await agent.run(job.task.prompt, usage_limits=limits, usage=used)
    except AgentRunError as error:
        raise TaskFailed(f"The model could not do this: {error.message[:500]}") from error
    finally:
        await services.entitlements.usage.add(user_id, model_tokens=used.total_tokens)
    return answer.output


def tool_of(job: TaskJob, operation: Operation) -> Tool[None]:
    """Return the operation as a tool, which its signature and docstring describe."""
    told = Tool(operation).tool_def
    return described_tool(job, operation, told.name, told.description, told.parameters_json_schema)


def described_tool(
    job: TaskJob, operation: Operation, name: str, about: str | None, schema: dict[str, Any]
) -> Tool[None]:
    """Return the operation as a tool. It logs its outcome and tells the model of refusals."""
    return Tool.from_schema(_logged(job, operation), name, about, schema, sequential=True)


def _logged(job: TaskJob, operation: Operation) -> Operation:
    async def call(**arguments: Any) -> str:
        try:
            outcome = await operation(**arguments)
        except GrowError as error:
            outcome = f"Refused: {error.detail}"
        await job.log(job.agent.spec.name, outcome)
        return outcome

    return call
