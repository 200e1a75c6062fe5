"""Rebuilding the registry from the repositories alone.

The rows of repositories and actors come back from `state/snapshot.json`, with their old ids, so
that links, commits and channels stay what they were. The agents themselves bring back messages,
tasks and quests when they first start with an empty log (`growqr.agents.restore`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.agents import snapshot
from growqr.agents.snapshot import SavedActor, Snapshot, SnapshotInvalid
from growqr.api.provisioning import CAPABILITIES
from growqr.db.tables import ActorRow, Repo, User
from growqr.errors import Conflict, NotFound
from growqr.git.forge import RepoRef
from growqr.git.layout import PRIMARY_NAME
from growqr.git.verifying import verdict_of
from growqr.ids import new_id
from growqr.operations.stores import Stores

_SNAPSHOTS_TRIED = 20


class RestoreRefused(Conflict):
    """The registry says something else than the restore would; nothing was changed."""

    code = "restore_refused"


@dataclass(frozen=True)
class Life:
    """A life repository in the data folder, and what it says of itself."""

    repo_id: str
    snapshot: Snapshot
    proven: bool
    """Whether the Grow Agent that it names has signed it (or no keys are left to tell)."""


@dataclass(frozen=True)
class Outcome:
    """What became of one life. `state` is `restored`, `there` (nothing was missing), or `left`."""

    repo_id: str
    user: str
    state: str
    detail: str


async def find_lives(stores: Stores) -> list[Life]:
    """Return every life repository that can say whose it is, oldest first."""
    lives = []
    for repo in (await stores.repos()).values():
        found = await read_life(stores, repo)
        if found is not None:
            lives.append(found)
    return lives


async def read_life(stores: Stores, repo: RepoRef) -> Life | None:
    """Return one repository with its snapshot, None when it has none that can be read.

    Whoever can push can write a snapshot, also one that claims another person's account. So the
    newest one counts that its own Grow Agent has signed. Only where the installation's keys are
    lost too is the newest of all taken, and marked as unproven.
    """
    keys = stores.signers()
    newest: Snapshot | None = None
    for commit in await stores.forge.commits(repo, path=snapshot.PATH, limit=_SNAPSHOTS_TRIED):
        try:
            saved = await snapshot.read(stores.forge, repo, ref=commit.sha)
        except SnapshotInvalid:
            continue
        if saved is None:
            continue
        newest = newest or saved
        grow = next((actor.id for actor in saved.actors if actor.name == "grow"), None)
        path = await stores.forge.copy(repo)
        if await asyncio.to_thread(verdict_of, path, commit.sha, keys) == (grow, "signed"):
            return Life(repo.id, saved, proven=True)
    return Life(repo.id, newest, proven=not keys) if newest is not None else None


async def restore_all(stores: Stores) -> list[Outcome]:
    """Give every account its repository and agents back; says what it left and why."""
    accounts = {user.id: user for user in await stores.users()}
    lives = await find_lives(stores)
    outcomes = []
    for life in lives:
        user = accounts.get(life.snapshot.user.id)
        if user is None:
            named = life.snapshot.user.name
            hint = f"no account; once they registered: --invite EMAIL={life.repo_id}"
            outcomes.append(Outcome(life.repo_id, named, "left", hint))
            continue
        if not life.proven:
            hint = f"no signed snapshot; to take it as it is: --invite {user.email}={life.repo_id}"
            outcomes.append(Outcome(life.repo_id, user.email, "left", hint))
            continue
        try:
            outcomes.append(await restore_user(stores, user, lives))
        except (RestoreRefused, NotFound) as error:
            outcomes.append(Outcome(life.repo_id, user.email, "left", error.detail))
    return outcomes


async def restore_user(stores: Stores, user: User, lives: Sequence[Life] | None = None) -> Outcome:
    """Give one account its repository and agents back.

    Raises:
        NotFound: no repository says that it is this user's.
        RestoreRefused: several do, or the account has another life repository by now.
    """
    if lives is None:
        lives = await find_lives(stores)
    own = [life for life in lives if life.proven and life.snapshot.user.id == user.id]
    async with stores.db.session() as session:
        known = await _primary(session, user.id)
    if known is not None:
        own = [life for life in own if life.repo_id == known.id] or own
    if not own:
        raise NotFound(
            f"No repository's signed snapshot says that it belongs to {user.email}. "
            f"If you know which one it is: --invite {user.email}=REPO."
        )
    if len(own) > 1:
        listed = ", ".join(life.repo_id for life in own)
        raise RestoreRefused(
            f"Several repositories say that they belong to {user.email}: {listed}. "
            f"Choose one with --invite {user.email}=REPO."
        )
    (life,) = own
    if known is not None and known.id != life.repo_id:
        raise RestoreRefused(
            f"{user.email} has the life repository {known.id} now. "
            f"To put {life.repo_id} in its place: --invite {user.email}={life.repo_id}."
        )
    return await _register(stores, user, life.repo_id, life.snapshot)


async def invite(stores: Stores, user: User, repo_id: str) -> Outcome:
    """Join an account to a life repository, whoever it belonged to before.

    A life repository that the account has begun meanwhile stays theirs, as a project.

    Raises:
        NotFound: there is no such repository.
        RestoreRefused: it belongs to another account.
    """
    held = await stores.repos()
    if repo_id not in held:
        raise NotFound(f"There is no repository `{repo_id}`.")
    life = await read_life(stores, held[repo_id])
    async with stores.db.session() as session:
        row = await session.get(Repo, repo_id)
        if row is not None and row.owner_id != user.id:
            raise RestoreRefused(f"`{repo_id}` belongs to another account.")
        begun = await _primary(session, user.id)
        if begun is not None and begun.id != repo_id:
            await session.execute(delete(ActorRow).where(ActorRow.user_id == user.id))
            begun.kind = "project"
            begun.name = f"{PRIMARY_NAME}-{begun.id.removeprefix('rep_')}"
            begun.description = f"What {user.name} began before the restore."
    return await _register(stores, user, repo_id, life.snapshot if life else None)


async def _register(stores: Stores, user: User, repo_id: str, saved: Snapshot | None) -> Outcome:
    """Add the rows that are missing, all in one transaction."""
    held = await stores.repos()
    added = 0
    async with stores.db.session() as session:
        row = await session.get(Repo, repo_id)
        if row is None:
            await stores.forge.hand_over(held[repo_id], user.id)
            session.add(
                Repo(
                    id=repo_id,
                    owner_id=user.id,
                    name=PRIMARY_NAME,
                    kind="primary",
                    description="",
                )
            )
            added += 1
        elif row.owner_id != user.id:
            raise RestoreRefused(f"`{repo_id}` belongs to another account.")
        await session.flush()
        added += await _projects(stores, session, user, saved, held)
        added += await _actors(session, user, repo_id, saved)
    state = "restored" if added else "there"
    return Outcome(repo_id, user.email, state, f"{added} rows" if added else "nothing was missing")


async def _primary(session: AsyncSession, user_id: str) -> Repo | None:
    found = await session.scalars(
        select(Repo).where(Repo.owner_id == user_id, Repo.kind == "primary")
    )
    return found.one_or_none()


async def _projects(
    stores: Stores,
    session: AsyncSession,
    user: User,
    saved: Snapshot | None,
    held: Mapping[str, RepoRef],
) -> int:
    added = 0
    rows = await session.scalars(select(Repo).where(Repo.owner_id == user.id))
    names = {row.name for row in rows}
    for repo in saved.repos if saved else []:
        # Whoever writes a snapshot can't get at other people's repositories with it: an id is
        # taken only when no row has it, and only projects come this way.
        if repo.kind != "project" or repo.id not in held or repo.name in names:
            continue
        if await session.get(Repo, repo.id) is not None:
            continue
        await stores.forge.hand_over(held[repo.id], user.id)
        session.add(
            Repo(
                id=repo.id,
                owner_id=user.id,
                name=repo.name,
                kind="project",
                description=repo.description,
                default_branch=repo.default_branch,
                created_at=repo.created_at,
            )
        )
        names.add(repo.name)
        added += 1
    return added


async def _actors(session: AsyncSession, user: User, repo_id: str, saved: Snapshot | None) -> int:
    rows = await session.scalars(select(ActorRow).where(ActorRow.user_id == user.id))
    known = {row.name: row for row in rows}
    before: dict[str, SavedActor] = {}
    if saved is not None:
        before.update((actor.name, actor) for actor in saved.actors)
    grow_id = known["grow"].id if "grow" in known else None
    added = 0
    for name in CAPABILITIES:  # the Grow Agent is the first: the others refer to it
        if name in known or (name == "service" and name not in before):
            continue  # who has services set up gets that agent when they next come
        row = _row(user.id, repo_id, name, grow_id, await _free(session, before.get(name)))
        session.add(row)
        await session.flush()
        grow_id = row.id if name == "grow" else grow_id
        added += 1
    return added


async def _free(session: AsyncSession, saved: SavedActor | None) -> SavedActor | None:
    """Return what the snapshot says of an actor, unless its ids are someone else's by now."""
    if saved is None:
        return None
    taken = await session.scalar(
        select(ActorRow.id).where(
            (ActorRow.id == saved.id)
            | (ActorRow.channel_id == saved.channel_id)
            | (ActorRow.workspace_id == saved.workspace_id)
        )
    )
    return None if taken else saved


def _row(
    user_id: str, repo_id: str, name: str, parent_id: str | None, saved: SavedActor | None
) -> ActorRow:
    actor_id = saved.id if saved else new_id("act")
    return ActorRow(
        id=actor_id,
        user_id=user_id,
        type="grow" if name == "grow" else "agent",
        name=name,
        parent_id=None if name == "grow" else parent_id,
        channel_id=saved.channel_id if saved else new_id("chn"),
        repo_id=repo_id,
        workspace_id=(saved.workspace_id if saved else None) or new_id("wsp"),
        workspace_path=f"workspaces/{user_id}/{actor_id}",
        capabilities="\n".join(CAPABILITIES[name]),
        status=saved.status if saved else "running",
    )
