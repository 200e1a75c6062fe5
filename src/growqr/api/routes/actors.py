"""Agents: make them, look at them, start and stop them, talk to them, follow them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from growqr.agents.messages import MAX_STORED_BYTES
from growqr.api.deps import CurrentUser, MyGrowAgent, OwnedActor, ServicesDep
from growqr.api.idempotency import IdempotencyHeader
from growqr.api.pagination import Page
from growqr.api.provisioning import provision
from growqr.api.services import Services
from growqr.api.sse import OPENING, LastEventId, event_stream, resume_from, wants_json
from growqr.billing.entitlement import Entitlement
from growqr.db.registry import list_actors, set_actor_status, touch_actor
from growqr.db.tables import ActorRow
from growqr.errors import InvalidInput
from growqr.events import Event
from growqr.ids import new_id

router = APIRouter(prefix="/actors", tags=["actors"])

_ACTIVITY_STEP = timedelta(seconds=30)
"""How exact `last_activity_at` is; a write for each message would cost more than it tells."""


class MessageEmpty(InvalidInput):
    """A message without a visible character."""

    code = "message_empty"


class MessageTooLong(InvalidInput):
    """A message beyond the limit; `limit` is in what `detail` says, characters or bytes."""

    code = "message_too_long"


class EntitlementOut(BaseModel):
    """What the user's plan allows now."""

    entitled: bool
    plan: str
    status: str
    reason: str


class ActorOut(BaseModel):
    """An agent as the registry knows it."""

    id: str
    type: str = Field(description="`grow` or `agent`")
    name: str
    status: str = Field(description="`running`, `stopped` (by you) or `suspended` (by billing)")
    user_id: str
    parent_id: str | None
    channel_id: str
    workspace_path: str | None
    repo_id: str | None
    workspace_id: str | None
    last_activity_at: datetime
    entitlement: EntitlementOut

    @classmethod
    def of(cls, row: ActorRow, entitlement: Entitlement) -> "ActorOut":
        return cls(
            id=row.id,
            type=row.type,
            name=row.name,
            status=row.status,
            user_id=row.user_id,
            parent_id=row.parent_id,
            channel_id=row.channel_id,
            workspace_path=row.workspace_path,
            repo_id=row.repo_id,
            workspace_id=row.workspace_id,
            last_activity_at=row.last_activity_at,
            entitlement=EntitlementOut(
                entitled=entitlement.entitled,
                plan=entitlement.plan,
                status=entitlement.status,
                reason=entitlement.reason,
            ),
        )


class ProvisionOut(BaseModel):
    """The user's Grow Agent."""

    actor: ActorOut


class MessageIn(BaseModel):
    """What to say."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"text": "Remember that I learn best in the morning."}}
    )

    text: str
    answers: str | None = Field(
        None,
        max_length=64,
        description="Id of the question that this answers (`metadata.question.id`); without it, "
        "an agent with an open question takes the text as the answer to its oldest one, about "
        "a conflict only where it says no more than which side stays.",
    )


class MessagePosted(BaseModel):
    """The message is durable; its answer names `message_id` in `in_reply_to`."""

    message_id: str
    seq: int


class EventPage(BaseModel):
    """Stored events, oldest first; go on with `after`."""

    items: list[Event]
    after: int


@router.post("/provision", responses={201: {"model": ProvisionOut, "description": "Made now"}})
async def provision_actors(
    user: CurrentUser, services: ServicesDep, response: Response
) -> ProvisionOut:
    """Give the user a Grow Agent with its repository and sub-agents; 200 when they are there."""
    done = await provision(services, user.user_id)
    response.status_code = 201 if done.created else 200
    return ProvisionOut(actor=await _shown(services, done.grow))


@router.get("/me")
async def get_my_actor(grow: MyGrowAgent, services: ServicesDep) -> ActorOut:
    """The user's Grow Agent."""
    return await _shown(services, grow)


@router.get("")
async def list_my_actors(user: CurrentUser, services: ServicesDep) -> Page[ActorOut]:
    """All of the user's agents, the Grow Agent first."""
    entitlement = await services.entitlements.check(user.user_id)
    async with services.db.session() as session:
        rows = await list_actors(session, user.user_id)
    return Page(items=[ActorOut.of(row, entitlement) for row in rows], next_cursor=None)


@router.get("/{actor_id}")
async def get_actor(actor: OwnedActor, services: ServicesDep) -> ActorOut:
    """One of the user's agents."""
    return await _shown(services, actor)


@router.post("/{actor_id}/start")
async def start_actor(actor: OwnedActor, services: ServicesDep) -> ActorOut:
    """Let the agent work; 402 when the plan does not allow it."""
    await services.entitlements.require(actor.user_id, actor.name)
    return await _set_running(services, actor, True)


@router.post("/{actor_id}/stop")
async def stop_actor(actor: OwnedActor, services: ServicesDep) -> ActorOut:
    """Let the agent finish its step and then rest; it takes no messages until it is started."""
    return await _set_running(services, actor, False)


@router.post("/{actor_id}/message", status_code=202)
async def post_message(
    actor: OwnedActor,
    body: MessageIn,
    services: ServicesDep,
    after_answer: BackgroundTasks,
    idempotency_key: IdempotencyHeader = None,
) -> MessagePosted:
    """Say something to an agent. The answer 202 means that it can't get lost any more."""
    check_message(services, body.text)
    message_id = new_id("msg")
    async with one_message(services, actor) as spent:
        posted = await services.agents.post_message(
            actor,
            text=body.text,
            message_id=message_id,
            idempotency_key=idempotency_key,
            answers=body.answers,
        )
        spent.is_new = posted["message_id"] == message_id
    if datetime.now(UTC) - actor.last_activity_at > _ACTIVITY_STEP:
        after_answer.add_task(_touch, services, actor.id)
    return MessagePosted(message_id=posted["message_id"], seq=posted["seq"])


@router.get(
    "/{actor_id}/events",
    response_model=EventPage,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_events(
    request: Request,
    actor: OwnedActor,
    services: ServicesDep,
    after: Annotated[int | None, Query(ge=0, description="Events with a higher `seq`.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    last_event_id: LastEventId = None,
) -> Response:
    """The agent's events as a stream that never ends, or, with `Accept: application/json`, a page.

    Each server-sent event has the event's `seq` as `id`, its type as `event`, itself as `data`.
    """
    begin = resume_from(after, last_event_id)
    if wants_json(request):
        items = await services.agents.stored_events(actor, begin, limit)
        return JSONResponse({"items": items, "after": items[-1]["seq"] if items else begin})
    source = _events(services, actor, begin)
    return await event_stream(source, on_shutdown=services.events.aclose)


def check_message(services: Services, text: str) -> None:
    """Raise MessageEmpty or MessageTooLong, and UnicodeEncodeError for what is not text."""
    most = services.settings.limits.message_chars
    if not text.strip():
        raise MessageEmpty("The message is empty.")
    size = len(text.encode())
    if len(text) > most:
        raise MessageTooLong(f"A message can be {most} characters long at most.", limit=most)
    if size > MAX_STORED_BYTES:
        raise MessageTooLong(
            f"A message can take {MAX_STORED_BYTES} bytes at most, and this one takes {size}: "
            "other characters than those of English take two to four.",
            limit=MAX_STORED_BYTES,
        )


@dataclass
class Spent:
    """A message that is being counted; `is_new`: not a repeat of an earlier one."""

    is_new: bool = True


@asynccontextmanager
async def one_message(services: Services, actor: ActorRow) -> AsyncIterator[Spent]:
    """Count one message to `actor`; what fails or turns out to be a repeat counts nothing.

    Raises EntitlementRequired and PlanLimitReached.
    """
    entitlement = await services.entitlements.require(actor.user_id, actor.name)
    await services.entitlements.take_message(actor.user_id, entitlement)
    spent = Spent()
    try:
        yield spent
    except BaseException:
        spent.is_new = False
        raise
    finally:
        if not spent.is_new:
            await services.entitlements.usage.give_message_back(actor.user_id)


async def _events(services: Services, actor: ActorRow, after: int) -> AsyncGenerator[bytes]:
    with services.events.seat(actor.user_id):
        async with services.events.follow(actor, after) as events:
            yield OPENING
            async for body in events:
                yield body


async def _set_running(services: Services, actor: ActorRow, running: bool) -> ActorOut:
    await services.agents.set_running(actor, running)
    actor.status = "running" if running else "stopped"
    async with services.db.session() as session:
        await set_actor_status(session, actor.id, actor.status)
    return await _shown(services, actor)


async def _shown(services: Services, row: ActorRow) -> ActorOut:
    return ActorOut.of(row, await services.entitlements.check(row.user_id))


async def _touch(services: Services, actor_id: str) -> None:
    async with services.db.session() as session:
        await touch_actor(session, actor_id)
