"""OpenCode: the coding agent's workspace, and working in it directly.

Ids of workspaces lead to their agent through the registry; sessions are known to the user's
coding agent, which answers not_found for one that is not its own.
"""

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from growqr.api.deps import Id, MyCodingAgent, OwnedWorkspace, ServicesDep
from growqr.api.idempotency import IdempotencyHeader, IdempotentRoute
from growqr.api.routes.actors import MessageIn, check_message, one_message
from growqr.api.services import Services
from growqr.api.sse import OPENING, LastEventId, event_stream, resume_from, wants_json
from growqr.db.tables import ActorRow
from growqr.errors import NotFound
from growqr.ids import derived_id, new_id

router = APIRouter(prefix="/opencode", tags=["opencode"], route_class=IdempotentRoute)

After = Annotated[int | None, Query(ge=0, description="Entries with a higher number.")]


class WorkspaceOut(BaseModel):
    """A workspace: a folder and the OpenCode server that works in it."""

    model_config = ConfigDict(extra="allow")

    id: str
    actor_id: str
    status: str = Field(
        description="`provisioned`, `starting`, `ready`, `busy`, `idle`, `stopped` or `failed`"
    )
    reason: str | None = None


class ProvisionWorkspaceOut(BaseModel):
    """The user's workspace."""

    workspace: WorkspaceOut


class SessionIn(BaseModel):
    """A new conversation with OpenCode."""

    title: str = Field("Session", min_length=1, max_length=120)


class SessionOut(BaseModel):
    """A conversation with OpenCode."""

    model_config = ConfigDict(extra="allow")

    id: str
    workspace_id: str


class SessionMessagePosted(BaseModel):
    """The message is durable; its progress appears among the session's events."""

    model_config = ConfigDict(extra="allow")

    message_id: str


class LogLineOut(BaseModel):
    """One line that the server or the platform wrote."""

    model_config = ConfigDict(extra="allow")

    text: str


class LogPage(BaseModel):
    """Log lines, oldest first."""

    items: list[LogLineOut]


class SessionEventPage(BaseModel):
    """Events of one session, oldest first; go on with `after`."""

    items: list[dict[str, Any]]
    after: int


@router.post("/provision")
async def provision_workspace(
    coding: MyCodingAgent, services: ServicesDep
) -> ProvisionWorkspaceOut:
    """The coding agent's workspace; it starts when it is needed."""
    return ProvisionWorkspaceOut(workspace=_shown(coding, await services.agents.workspace(coding)))


@router.get("/workspaces/{workspace_id}")
async def get_workspace(workspace: OwnedWorkspace, services: ServicesDep) -> WorkspaceOut:
    """One of the user's workspaces."""
    coding = _coding(workspace)
    return _shown(coding, await services.agents.workspace(coding))


@router.post("/workspaces/{workspace_id}/start")
async def start_workspace(workspace: OwnedWorkspace, services: ServicesDep) -> WorkspaceOut:
    """Start the OpenCode server in its sandbox."""
    coding = _coding(workspace)
    await services.entitlements.require(coding.user_id, coding.name)
    return _shown(coding, await services.agents.workspace_start(coding))


@router.post("/workspaces/{workspace_id}/stop")
async def stop_workspace(workspace: OwnedWorkspace, services: ServicesDep) -> WorkspaceOut:
    """Stop the OpenCode server; files and sessions stay."""
    coding = _coding(workspace)
    return _shown(coding, await services.agents.workspace_stop(coding))


@router.get("/workspaces/{workspace_id}/logs")
async def get_workspace_logs(
    workspace: OwnedWorkspace, services: ServicesDep, after: After = None
) -> LogPage:
    """What the server wrote lately."""
    lines = await services.agents.workspace_logs(_coding(workspace), after or 0)
    return LogPage(items=[LogLineOut.model_validate(line) for line in lines])


@router.post("/workspaces/{workspace_id}/sessions", status_code=201)
async def create_session(
    workspace: OwnedWorkspace,
    body: SessionIn,
    services: ServicesDep,
    idempotency_key: IdempotencyHeader = None,
) -> SessionOut:
    """Begin a conversation with OpenCode in this workspace."""
    coding = _coding(workspace)
    await services.entitlements.require(coding.user_id, coding.name)
    session = await services.agents.create_session(coding, body.title)
    return SessionOut.model_validate({**session, "workspace_id": coding.workspace_id})


@router.post("/sessions/{session_id}/messages", status_code=202)
async def post_session_message(
    session_id: Id,
    body: MessageIn,
    coding: MyCodingAgent,
    services: ServicesDep,
    idempotency_key: IdempotencyHeader = None,
) -> SessionMessagePosted:
    """Ask OpenCode for something; it runs as a task of the coding agent."""
    check_message(services, body.text)
    message_id = new_id("msg")
    if idempotency_key is not None:
        message_id = derived_id("msg", coding.id, idempotency_key)
    async with one_message(services, coding):
        posted = await services.agents.session_message(
            coding, session_id=session_id, text=body.text, message_id=message_id
        )
    return SessionMessagePosted.model_validate({"message_id": message_id, **posted})


@router.get(
    "/sessions/{session_id}/events",
    response_model=SessionEventPage,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_session(
    request: Request,
    session_id: Id,
    coding: MyCodingAgent,
    services: ServicesDep,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """The session's events as a stream, or, with `Accept: application/json`, a page."""
    begin = resume_from(after, last_event_id)
    if wants_json(request):
        items = await services.agents.session_events(coding, session_id, begin)
        return JSONResponse({"items": items, "after": items[-1]["seq"] if items else begin})
    source = _session_events(services, coding, session_id, begin)
    return await event_stream(source, on_shutdown=services.events.aclose)


async def _session_events(
    services: Services, coding: ActorRow, session_id: str, after: int
) -> AsyncGenerator[bytes]:
    """Read the session's stored events again whenever the agent has news."""
    await services.agents.session_events(coding, session_id, after)  # NotFound, if it is
    with services.events.seat(coding.user_id):
        async with services.events.follow_news(coding) as news:
            yield OPENING
            async for _ in news:
                while items := await services.agents.session_events(coding, session_id, after):
                    after = items[-1]["seq"]
                    yield b"".join(_encoded(item) for item in items)


def _encoded(item: dict[str, Any]) -> bytes:
    data = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return f"id: {item['seq']}\nevent: {item['type']}\ndata: {data}\n\n".encode()


def _coding(workspace: ActorRow) -> ActorRow:
    if workspace.name != "coding":
        raise NotFound("There is no such thing, or it is not yours.")
    return workspace


def _shown(coding: ActorRow, state: dict[str, Any]) -> WorkspaceOut:
    return WorkspaceOut.model_validate({**state, "id": coding.workspace_id, "actor_id": coding.id})
