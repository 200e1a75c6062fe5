"""What becomes of HTTP requests whose worker dies, or loses the engine, in the middle of them."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pyrivet import Actor, ActorOptions, CallInterrupted, action

from .conftest import Stage, gateway_url
from .fleet import fleet_of

pytestmark = [pytest.mark.anyio, pytest.mark.live]

RECOVERY = timedelta(seconds=40)


async def test_request_under_way_in_a_killed_worker_fails_and_is_not_applied_again(
    stage: Stage, key: list[str], tmp_path: Path
) -> None:
    tally = (await stage.client()).get_or_create("tally", key)
    begun = tmp_path / "begun"
    async with (
        fleet_of(stage.endpoint, stage.pool, stage.token) as fleet,
        httpx.AsyncClient(trust_env=False, timeout=RECOVERY.total_seconds()) as http,
    ):
        first = await fleet.add()
        url = gateway_url(stage, "tally", key, "/action/note_and_hang")
        request = asyncio.create_task(http.post(url, json={"args": ["once", str(begun)]}))
        while not begun.exists():
            await asyncio.sleep(0.02)
        await fleet.add()
        await first.kill()
        assert (await request).status_code >= 500
        assert await tally.call("notes", retry=True, timeout=RECOVERY) == ["once"]


async def test_client_does_not_repeat_a_request_that_was_under_way_in_a_killed_worker(
    stage: Stage, key: list[str], tmp_path: Path
) -> None:
    tally = (await stage.client()).get_or_create("tally", key)
    begun = tmp_path / "begun"
    async with fleet_of(stage.endpoint, stage.pool, stage.token) as fleet:
        first = await fleet.add()
        call = tally.call("note_and_hang", "once", str(begun), over_http=True, timeout=RECOVERY)
        calling = asyncio.create_task(call)
        while not begun.exists():
            await asyncio.sleep(0.02)
        await fleet.add()
        await first.kill()
        with pytest.raises(CallInterrupted):
            await calling
        assert await tally.call("notes", retry=True, timeout=RECOVERY) == ["once"]


class Slow(Actor):
    """Counts calls that never end."""

    options = ActorOptions(stop_grace=timedelta(milliseconds=100))

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.calls = 0

    @action(concurrent=True)
    async def hang(self) -> None:
        self.calls += 1
        self.begun.set()
        await asyncio.Event().wait()


async def test_request_whose_worker_loses_the_engine_is_told_so_and_not_repeated(
    stage: Stage, key: list[str]
) -> None:
    slow = Slow()
    worker = await stage.work(slow=lambda: slow)
    url = gateway_url(stage, "slow", key, "/action/hang")
    async with httpx.AsyncClient(trust_env=False, timeout=RECOVERY.total_seconds()) as http:
        request = asyncio.create_task(http.post(url, json={"args": []}))
        await slow.begun.wait()
        socket = worker._host.envoy._socket
        assert socket is not None
        socket.transport.abort()
        answer = await request
    assert (answer.status_code, answer.json()["code"]) == (503, "interrupted")
    assert slow.calls == 1
