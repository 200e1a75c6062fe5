"""Agents that the registry knows no more, on a real engine."""

import asyncio
from pathlib import Path

import pytest
from pyrivet import ActionError, ActorNotFound
from sqlalchemy import delete, select
from sqlalchemy.orm import make_transient

from growqr.db.tables import ActorRow, User
from tests.support.household import household

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def test_one_that_is_made_anew_after_its_user_left_removes_itself(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        await home.call("grow", "events", 0, 1)
        key = [home.actor_ids["grow"]]
        await home.client.get("grow", key).destroy()
        async with home.db.session() as session:
            await session.execute(delete(User))
        with pytest.raises(ActionError, match="no such agent"):
            await home.call("grow", "events", 0, 1)
        again = home.client.get("grow", key)
        async with asyncio.timeout(30):
            while True:
                try:
                    await again.call("events", 0, 1)
                except ActorNotFound:
                    break
                except ActionError:  # it is about to go
                    await asyncio.sleep(0.05)


async def test_one_that_has_lived_keeps_all_until_the_registry_is_back(
    tmp_path: Path, engine: str
) -> None:
    async with household(tmp_path, engine) as home:
        await home.ask("repo", "list repos")
        before = await home.log("repo")
        await home.stop()
        await home.start()
        async with home.db.session() as session:
            row = (await session.scalars(select(ActorRow).filter_by(name="repo"))).one()
            await session.delete(row)
        with pytest.raises(ActionError, match="no such agent"):
            await home.call("repo", "events", 0, 1)
        async with home.db.session() as session:
            make_transient(row)
            session.add(row)
        await home.stop()
        await home.start()
        assert await home.log("repo") == before
