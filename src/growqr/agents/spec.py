"""What an agent is told about itself, built from the registry."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db.tables import ActorRow, Repo, User
from growqr.errors import NotFound
from growqr.git.forge import RepoRef

AgentName = Literal["grow", "coding", "repo", "quest", "service"]


class Sibling(BaseModel):
    """Another agent of the same user."""

    model_config = ConfigDict(frozen=True)

    actor_id: str
    channel_id: str


class AgentSpec(BaseModel):
    """An agent's identity and rights.

    The registry is the source: an agent reads its spec anew each time it starts, so a
    capability taken away is gone from the next start on.
    """

    model_config = ConfigDict(frozen=True)

    actor_id: str
    user_id: str
    user_name: str
    name: str
    """`grow`, `coding`, `repo`, `quest` or `service`; also the actor's name in the engine."""
    parent_id: str | None
    """The Grow Agent's actor id; None for the Grow Agent itself."""
    channel_id: str
    repo: RepoRef
    """The user's primary repository."""
    workspace_id: str | None
    capabilities: frozenset[str]
    """In the registry one a line, because a pattern may have spaces."""
    siblings: dict[str, Sibling]
    """The user's other agents by name; for a sub-agent the Grow Agent is among them."""


async def load_spec(session: AsyncSession, actor_id: str) -> AgentSpec:
    """Build the spec of one agent; raises NotFound when it, or its repository, is unknown."""
    row = await session.get(ActorRow, actor_id)
    if row is None:
        raise NotFound("No agent of that id.")
    user = await session.get_one(User, row.user_id)
    family = (await session.scalars(select(ActorRow).where(ActorRow.user_id == row.user_id))).all()
    repo_id = row.repo_id or next((r.repo_id for r in family if r.name == "grow"), None)
    repo = await session.get(Repo, repo_id) if repo_id else None
    if repo is None:
        raise NotFound("The agent has no repository yet.")
    return AgentSpec(
        actor_id=row.id,
        user_id=row.user_id,
        user_name=user.name,
        name=row.name,
        parent_id=row.parent_id,
        channel_id=row.channel_id,
        repo=RepoRef(id=repo.id, owner_id=repo.owner_id, name=repo.name),
        workspace_id=row.workspace_id,
        capabilities=frozenset(filter(None, row.capabilities.splitlines())),
        siblings={
            other.name: Sibling(actor_id=other.id, channel_id=other.channel_id)
            for other in family
            if other.id != row.id
        },
    )
