"""Twenty people's coding agents at work at once, beside one at work alone.

The whole platform with the offline model: each person's task starts a server in a sandbox,
writes a file, runs a program that computes, and is committed. Meanwhile somebody else asks the
API things. Memory is what the machine has less of while all servers are there.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.report import Result
from growqr.testing import Platform

PEOPLE = 20
ASK_EVERY_SECONDS = 0.1
TASK = """Write a program.

```python sieve.py
print(sum(n * n for n in range(1_000_000)))
```

run: python3 sieve.py"""


def run() -> list[Result]:
    limits = {
        "GROWQR_SANDBOX__MAX_RUNNING": str(PEOPLE + 1),
        "GROWQR_IDENTITY__REGISTRATIONS_PER_HOUR": str(PEOPLE + 2),
    }
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder), limits) as platform:
        return asyncio.run(_run(platform.url))


async def _run(url: str) -> list[Result]:
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        alone, *people = [await _Person.register(client, n) for n in range(PEOPLE + 1)]
        quiet = [await _ask_seconds(alone) for _ in range(50)]
        first = await alone.task_seconds()
        free = _available_bytes()
        busy: list[float] = []
        asking = asyncio.create_task(_keep_asking(alone, busy))
        began = time.perf_counter()
        taken = await asyncio.gather(*(person.task_seconds() for person in people))
        all_done = time.perf_counter() - began
        asking.cancel()
        each = (free - _available_bytes()) / PEOPLE
    return [
        Result("a task alone, POST to its end", [first], unit="s"),
        Result(f"a task of {PEOPLE} at once, POST to its end", taken, unit="s"),
        Result(f"all {PEOPLE} tasks", [all_done], unit="s"),
        Result("GET /channels before", [value * 1000 for value in quiet]),
        Result(f"GET /channels while {PEOPLE} work", [value * 1000 for value in busy]),
        Result("memory per workspace after its task", [each / 1e6], unit="MB"),
    ]


class _Person:
    def __init__(self, client: httpx.AsyncClient, token: str, coding: str) -> None:
        self.client = client
        self.headers = {"authorization": f"Bearer {token}"}
        self._coding = coding

    @classmethod
    async def register(cls, client: httpx.AsyncClient, number: int) -> "_Person":
        account = {
            "email": f"bench-{number}@example.com",
            "password": "bench-password-1",
            "name": "Bench",
        }
        made = await client.post("/auth/register", json=account)
        token = made.raise_for_status().json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        (await client.post("/actors/provision", headers=headers)).raise_for_status()
        channels = (await client.get("/channels", headers=headers)).raise_for_status().json()
        items = channels["items"] if isinstance(channels, dict) else channels
        [coding] = [item["actor_id"] for item in items if item["name"] == "coding"]
        return cls(client, token, coding)

    async def task_seconds(self) -> float:
        """Give the coding agent a task and wait for its end."""
        path = f"/actors/{self._coding}"
        async with self.client.stream("GET", f"{path}/events", headers=self.headers) as events:
            began = time.perf_counter()
            asked = await self.client.post(
                f"{path}/message", json={"text": TASK}, headers=self.headers
            )
            asked.raise_for_status()
            async for line in events.aiter_lines():
                if not line.startswith("data:"):
                    continue
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "task.completed":
                    return time.perf_counter() - began
                assert event["type"] != "task.failed", event
        raise AssertionError("the events ended before the task")


async def _ask_seconds(person: _Person) -> float:
    began = time.perf_counter()
    (await person.client.get("/channels", headers=person.headers)).raise_for_status()
    return time.perf_counter() - began


async def _keep_asking(person: _Person, taken: list[float]) -> None:
    while True:
        taken.append(await _ask_seconds(person))
        await asyncio.sleep(ASK_EVERY_SECONDS)


def _available_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024
