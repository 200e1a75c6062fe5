"""A new user's agents: repository, registry rows, and the Grow Agent awake."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from growqr.api.services import Services
from growqr.db.registry import find_actor, list_actors
from growqr.db.tables import ActorRow, User
from growqr.identity.tokens import TokenInvalid
from growqr.ids import new_id
from growqr.settings import Settings

CAPABILITIES: dict[str, tuple[str, ...]] = {
    "grow": ("git.commit:**",),
    "coding": ("git.commit:agents/coding/**", "git.commit:tasks/**", "opencode.run"),
    "repo": (
        "git.commit:agents/repo/**",
        "git.commit:tasks/**",
        "git.branch",
        "git.pull_request",
        "git.settle",
    ),
    "quest": (
        "git.commit:quests/**",
        "git.commit:memory/**",
        "git.commit:goals/**",
        "git.commit:profile.md",
        "git.commit:tasks/**",
    ),
    "service": ("git.commit:tasks/**", "service.call:*"),
}
"""What each agent may do, by its name."""


def agent_names(settings: Settings) -> list[str]:
    """Return which agents everyone has, the Grow Agent first."""
    return [name for name in CAPABILITIES if name != "service" or settings.services]


@dataclass(frozen=True)
class Provisioned:
    """The user's Grow Agent; `created` when this call made it."""

    grow: ActorRow
    created: bool


async def provision(services: Services, user_id: str) -> Provisioned:
    """Give the user their agents; safe to repeat and to race.

    Each step finds what an earlier, interrupted call left. Raises AgentUnavailable when the
    Grow Agent can't be woken; the rows stay, and the next call wakes it. Raises TokenInvalid
    when the account is gone, although its token has not expired.
    """
    async with services.db.session() as session:
        if await session.get(User, user_id) is None:
            raise TokenInvalid("This account is gone. Please register again.")
        rows = await list_actors(session, user_id)
    grow = next((row for row in rows if row.name == "grow"), None)
    created = False
    if grow is None:
        repo = await services.repos.ensure_primary(user_id)
        grow, created = await _register(services, user_id, repo.id)
    elif missing := set(agent_names(services.settings)) - {row.name for row in rows}:
        await _add(services, grow, missing)  # an agent that is new to this installation
    await services.agents.stored_events(grow, 0, 1)
    if created and services.billing is not None:
        await services.billing.suspensions.settle(user_id)
        async with services.db.session() as session:
            grow = await find_actor(session, user_id, name="grow") or grow
    return Provisioned(grow, created)


async def _register(services: Services, user_id: str, repo_id: str) -> tuple[ActorRow, bool]:
    grow = _row(user_id, repo_id, "grow", None)
    try:
        async with services.db.session() as session:
            session.add(grow)
            await session.flush()  # the others refer to it
            session.add_all(
                _row(user_id, repo_id, name, grow.id)
                for name in agent_names(services.settings)
                if name != "grow"
            )
    except IntegrityError:  # another request was first, and made all of them at once
        async with services.db.session() as session:
            first = await find_actor(session, user_id, name="grow")
        if first is None:
            raise
        return first, False
    return grow, True


async def _add(services: Services, grow: ActorRow, names: Iterable[str]) -> None:
    with suppress(IntegrityError):  # another request was first
        async with services.db.session() as session:
            session.add_all(_row(grow.user_id, grow.repo_id, name, grow.id) for name in names)


def _row(user_id: str, repo_id: str | None, name: str, parent_id: str | None) -> ActorRow:
    actor_id = new_id("act")
    return ActorRow(
        id=actor_id,
        user_id=user_id,
        type="agent" if parent_id else "grow",
        name=name,
        parent_id=parent_id,
        channel_id=new_id("chn"),
        repo_id=repo_id,
        workspace_id=new_id("wsp"),
        workspace_path=f"workspaces/{user_id}/{actor_id}",
        capabilities="\n".join(CAPABILITIES[name]),
        status="running",
    )
