"""Channels: where agents' messages appear."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from growqr.api.deps import CurrentUser, MyGrowAgent, OwnedChannel, ServicesDep
from growqr.api.pagination import Cursor, Limit, Page, decode_number, encode_cursor
from growqr.db.registry import list_actors
from growqr.events import ChannelMessage

router = APIRouter(prefix="/channels", tags=["channels"])


class ChannelOut(BaseModel):
    """A channel, which belongs to one agent."""

    id: str
    name: str
    actor_id: str
    kind: Literal["grow", "agent"]
    status: str = Field(description="Its agent is `idle`, `working`, `stopped` or `suspended`.")
    unread: int
    last_message_at: datetime | None = None


@router.get("")
async def list_channels(
    user: CurrentUser, grow: MyGrowAgent, services: ServicesDep
) -> Page[ChannelOut]:
    """All channels of the user, the Grow Agent's first."""
    async with services.db.session() as session:
        rows = await list_actors(session, user.user_id)
    states = await services.agents.channels(grow)
    items = []
    for row in rows:
        state = states.get(row.channel_id, {})
        items.append(
            ChannelOut(
                id=row.channel_id,
                name=row.name,
                actor_id=row.id,
                kind="grow" if row.type == "grow" else "agent",
                status=row.status if row.status != "running" else state.get("status", "idle"),
                unread=state.get("unread", 0),
                last_message_at=state.get("last_message_at"),
            )
        )
    return Page(items=items, next_cursor=None)


@router.get("/{channel_id}/messages")
async def list_messages(
    channel: OwnedChannel, services: ServicesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[ChannelMessage]:
    """The newest messages, oldest of them first; `next_cursor` leads to older ones."""
    page = await services.agents.messages(channel, decode_number(cursor), limit)
    return Page(items=page["items"], next_cursor=encode_cursor(page["before"]))


@router.post("/{channel_id}/read", status_code=204)
async def mark_channel_read(
    channel: OwnedChannel, grow: MyGrowAgent, services: ServicesDep
) -> Response:
    """Set `unread` to 0."""
    await services.agents.mark_read(grow, channel.channel_id)
    return Response(status_code=204)
