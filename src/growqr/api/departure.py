"""A user leaves: agents stop, what they pay for ends, and everything of theirs is erased.

Before that, if asked, everything is written to a file that outlasts the account.
"""

import asyncio
import shutil
from contextlib import suppress

from sqlalchemy import delete, select, update

from growqr.api.export_folder import Export
from growqr.api.services import Services
from growqr.db.registry import list_actors
from growqr.db.tables import Repo, User
from growqr.errors import GrowError
from growqr.git.repos import ref_of


async def leave(services: Services, user_id: str, *, export: bool) -> Export | None:
    """Erase the user, here and at Clerk; returns the file that was written first, if asked.

    Nothing is erased when the file can't be written. A repeat after an interruption makes no
    second file, which would hold only what was left.
    """
    async with services.db.session() as session:
        user = await session.get(User, user_id)
    if user is None:
        return None
    made = await services.exports.again(user.leaving) if user.leaving else None
    if made is None and export:
        made = await services.exports.make(user_id)
    if services.clerk is not None:
        await services.clerk.delete(user_id)
    if made is not None:
        made = await _note(services, user, made)
    await remove_user(services, user_id)
    return made


async def _note(services: Services, user: User, made: Export) -> Export:
    """Note the file before anything is erased; returns the one that somebody noted meanwhile.

    Clerk tells us of a deletion that we asked for, so there may be two at once.
    """
    async with services.db.session() as session:
        as_read = User.leaving.is_not_distinct_from(user.leaving)
        noting = update(User).where(User.id == user.id, as_read)
        await session.execute(noting.values(leaving=made.name))
        name = await session.scalar(select(User.leaving).where(User.id == user.id))
    if name is None or name == made.name:
        return made
    first = await services.exports.again(name)
    if first is None:
        return made
    services.exports.folder.discard(made.name)  # what is in it may be incomplete
    return first


async def remove_user(services: Services, user_id: str) -> None:
    """Erase the user; safe to repeat after an interruption, as the account goes last.

    Agents and their stored messages, workspaces, repositories, tokens, subscription and
    account are gone afterwards. Raises AgentUnavailable or StripeUnavailable: try again.
    """
    async with services.db.session() as session:
        rows = await list_actors(session, user_id)
        repos = (await session.scalars(select(Repo).filter_by(owner_id=user_id))).all()
    for row in rows:  # the Grow Agent first, so that it gives the others nothing new to do
        with suppress(GrowError):  # what an interrupted call left may be past running
            await services.agents.set_running(row, False)
    for row in reversed(rows):
        await services.events.end(row.id)
        await services.agents.remove(row)
    if services.billing is not None:
        await services.billing.subscriptions.forget_user(user_id)
    for repo in repos:
        await services.forge.delete(ref_of(repo))
        await services.memory.erase(ref_of(repo))
    folder = services.settings.data_dir.resolve() / "workspaces" / user_id
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    async with services.db.session() as session:
        await session.execute(delete(User).where(User.id == user_id))
    for row in reversed(rows):  # who followed one in another process may have made it anew
        with suppress(GrowError):
            await services.agents.remove(row)
