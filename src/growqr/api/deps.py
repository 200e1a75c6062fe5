"""What routes ask for: the services, who is asking, and things looked up through their owner.

A thing of somebody else raises the same NotFound as a thing that is not there. Nothing here
holds a database session longer than its own query, so a stream that stays open for hours
occupies none.
"""

from typing import Annotated, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from growqr.api.services import Services
from growqr.db.registry import find_actor, find_repo
from growqr.db.tables import ActorRow, Repo
from growqr.errors import NotFound, Unauthenticated
from growqr.identity.principal import Principal

_bearer = HTTPBearer(auto_error=False, description="The `token` that register and login give.")

Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""An opaque id in a path."""


def services_of(request: Request) -> Services:
    """Return what the app was created with."""
    return cast("Services", request.app.state.services)


async def _services(request: Request) -> Services:
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]


async def _current_user(
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    if credentials is None:
        raise Unauthenticated("Send `Authorization: Bearer TOKEN`.")
    return await services.principal_of(credentials.credentials)


CurrentUser = Annotated[Principal, Depends(_current_user)]


async def actor_of(services: Services, user_id: str, **by: str) -> ActorRow:
    """Return the user's actor with these column values; raises NotFound."""
    async with services.db.session() as session:
        actor = await find_actor(session, user_id, **by)
    if actor is None:
        raise NotFound("There is no such thing, or it is not yours.")
    return actor


async def _owned_actor(actor_id: Id, user: CurrentUser, services: ServicesDep) -> ActorRow:
    return await actor_of(services, user.user_id, id=actor_id)


async def _owned_channel(channel_id: Id, user: CurrentUser, services: ServicesDep) -> ActorRow:
    return await actor_of(services, user.user_id, channel_id=channel_id)


async def _owned_workspace(workspace_id: Id, user: CurrentUser, services: ServicesDep) -> ActorRow:
    return await actor_of(services, user.user_id, workspace_id=workspace_id)


async def _owned_repo(repo_id: Id, user: CurrentUser, services: ServicesDep) -> Repo:
    async with services.db.session() as session:
        repo = await find_repo(session, user.user_id, repo_id)
    if repo is None:
        raise NotFound("There is no such thing, or it is not yours.")
    return repo


def _agent_named(name: str) -> object:
    async def find(user: CurrentUser, services: ServicesDep) -> ActorRow:
        return await actor_of(services, user.user_id, name=name)

    return Depends(find)


OwnedActor = Annotated[ActorRow, Depends(_owned_actor)]
"""The actor of path parameter `actor_id`."""
OwnedChannel = Annotated[ActorRow, Depends(_owned_channel)]
"""The actor whose channel is path parameter `channel_id`."""
OwnedWorkspace = Annotated[ActorRow, Depends(_owned_workspace)]
"""The actor whose workspace is path parameter `workspace_id`."""
OwnedRepo = Annotated[Repo, Depends(_owned_repo)]
"""The repository of path parameter `repo_id`."""
MyGrowAgent = Annotated[ActorRow, _agent_named("grow")]
MyCodingAgent = Annotated[ActorRow, _agent_named("coding")]
MyQuestAgent = Annotated[ActorRow, _agent_named("quest")]
