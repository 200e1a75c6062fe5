"""A user leaves: agents stop, what they pay for ends, and everything of theirs is erased."""

import asyncio
import shutil
from contextlib import suppress

from sqlalchemy import delete, select

from growqr.api.services import Services
from growqr.db.registry import list_actors
from growqr.db.tables import Repo, User
from growqr.errors import GrowError
from growqr.git.repos import ref_of


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
        await services.agents.remove(row)
    if services.billing is not None:
        await services.billing.subscriptions.forget_user(user_id)
    for repo in repos:
        await services.forge.delete(ref_of(repo))
    folder = services.settings.data_dir.resolve() / "workspaces" / user_id
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    async with services.db.session() as session:
        await session.execute(delete(User).where(User.id == user_id))
