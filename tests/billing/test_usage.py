import asyncio
from datetime import timedelta

import pytest

from growqr.billing.usage import DayUsage, today
from tests.billing.conftest import ON_BOTH, World

pytestmark = pytest.mark.anyio


@ON_BOTH
async def test_of_messages_that_race_none_too_many_pass(world: World) -> None:
    usage = world.entitlements.usage
    taken = await asyncio.gather(*(usage.take_message("usr_ada", 3) for _ in range(8)))
    assert sum(taken) == 3
    assert (await usage.on("usr_ada", today())).messages == 3
    await usage.give_message_back("usr_ada")
    assert await usage.take_message("usr_ada", 3)
    assert not await usage.take_message("usr_ada", 3)


@ON_BOTH
async def test_days_without_use_are_listed_too(world: World) -> None:
    usage = world.entitlements.usage
    await usage.add("usr_ada", model_tokens=7, workspace_seconds=60)
    await usage.add("usr_ada", model_tokens=5)
    last = today()
    days = await usage.days("usr_ada", last - timedelta(2), last)
    assert [day.day for day in days] == [last - timedelta(2), last - timedelta(1), last]
    assert days[0] == DayUsage(last - timedelta(2))
    assert days[2] == DayUsage(last, 0, 12, 60)
