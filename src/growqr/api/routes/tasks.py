"""Tasks: the work of sub-agents, as the Grow Agent keeps it."""

from typing import Annotated

from fastapi import APIRouter, Query

from growqr.api.deps import Id, MyGrowAgent, ServicesDep
from growqr.api.pagination import Cursor, Limit, Page, decode_number, encode_cursor
from growqr.events import Task, TaskStatus

router = APIRouter(prefix="/tasks", tags=["tasks"])


@router.get("")
async def list_tasks(
    grow: MyGrowAgent,
    services: ServicesDep,
    status: Annotated[TaskStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Task]:
    """The user's tasks, newest first."""
    page = await services.agents.tasks(
        grow, status=status, before=decode_number(cursor), limit=limit
    )
    return Page(items=page["items"], next_cursor=encode_cursor(page["before"]))


@router.get("/{task_id}")
async def get_task(task_id: Id, grow: MyGrowAgent, services: ServicesDep) -> Task:
    """One of the user's tasks."""
    return Task.model_validate(await services.agents.task(grow, task_id))


@router.post("/{task_id}/pause")
async def pause_task(task_id: Id, grow: MyGrowAgent, services: ServicesDep) -> Task:
    """Stop work on the task after its current step; 409 when it is finished."""
    return Task.model_validate(await services.agents.pause_task(grow, task_id))


@router.post("/{task_id}/resume")
async def resume_task(task_id: Id, grow: MyGrowAgent, services: ServicesDep) -> Task:
    """Go on with a paused task."""
    return Task.model_validate(await services.agents.resume_task(grow, task_id))


@router.post("/{task_id}/cancel")
async def cancel_task(task_id: Id, grow: MyGrowAgent, services: ServicesDep) -> Task:
    """End the task for good; what it has committed stays."""
    return Task.model_validate(await services.agents.cancel_task(grow, task_id))
