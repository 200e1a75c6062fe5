"""RivetKit's own client stays connected while its Python actor sleeps and moves."""

import asyncio
from datetime import timedelta

import pytest
from pyrivet import Worker

from .conftest import Stage
from .javascript import Connection, needs_client
from .test_hibernation import Bear, noted

pytestmark = [pytest.mark.anyio, pytest.mark.live, needs_client]


@pytest.fixture
def diary() -> "asyncio.Queue[str]":
    Bear.diary = asyncio.Queue()
    return Bear.diary


@pytest.mark.parametrize("encoding", ["json", "default"])
async def test_sleep_and_move_are_not_noticed(
    stage: Stage, key: list[str], encoding: str, diary: "asyncio.Queue[str]"
) -> None:
    first = Worker(stage.endpoint, {"bear": Bear}, pool=stage.pool, token=stage.token)
    await first.__aenter__()
    wishes = {"params": {"name": "JavaScript"}, "events": ["changed"]}
    async with Connection.to(stage, encoding, "bear", key, **wishes) as there:
        # A call wakes it.
        connected, generation = await there.call("count")
        assert connected == 1
        await noted(diary, f"sleep {generation}")
        assert await there.call("increment") == [1, generation + 1]
        assert await there.event("changed") == [generation + 1]

        # Somebody else wakes it, and the event comes.
        await noted(diary, f"sleep {generation + 1}")
        client = await stage.client(conn_params={"name": "other"}, idle=timedelta(0))
        value, generation = await client.get_or_create("bear", key).call("increment")
        assert value == 2
        assert await there.event("changed") == [generation]

        # It moves while it is called.
        await there.call("work")
        await stage.work(bear=Bear)
        calls = [asyncio.create_task(there.call("increment")) for _ in range(20)]
        await first.__aexit__(None, None, None)
        answers = await asyncio.gather(*calls)
        assert sorted(value for value, _ in answers) == list(range(3, 23))
        assert (await there.call("increment"))[1] > generation
        seen = [(await there.event("changed"))[0] for _ in range(21)]
        assert seen == sorted(seen)
        assert there.statuses == ["connected"]
    await noted(diary, "disconnect JavaScript")
