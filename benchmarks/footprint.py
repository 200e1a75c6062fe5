"""What the platform takes from a machine: time until it is ready, memory idle and per agent.

The time to ready is that of `growqr up` on a data folder that has been used before, after the
set-up: what `./grow up` takes again. Memory is that of the one process with api and worker;
the engine is a process of its own. An awake agent is a Grow Agent that has just answered.
"""

import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.report import Result
from growqr.testing import Platform

STARTS = 5
WARM_UP = 50
"""People who come first: caches of bounded size are full then, and are no agent's own."""
PEOPLE = 150


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder))
        first, *again = [_seconds_to_ready(platform) for _ in range(STARTS + 1)]
        return [
            Result("first start", [first], unit="s"),
            Result("start again", again, budget=5, unit="s"),
            *_memory(Path(folder)),
        ]


def _seconds_to_ready(platform: Platform) -> float:
    began = time.perf_counter()
    with platform:
        httpx.get(f"{platform.url}/readyz").raise_for_status()
        return time.perf_counter() - began


def _memory(folder: Path) -> list[Result]:
    limits = {"GROWQR_IDENTITY__REGISTRATIONS_PER_HOUR": str(WARM_UP + PEOPLE)}
    with (
        Platform(folder, limits) as platform,
        httpx.Client(base_url=platform.url, timeout=60) as client,
    ):
        idle = _resident_bytes(platform.pid)
        for number in range(WARM_UP):
            _awaken(client, f"warm-{number}")
        before = _resident_bytes(platform.pid)
        for number in range(PEOPLE):
            _awaken(client, str(number))
        each = (_resident_bytes(platform.pid) - before) / PEOPLE
    return [
        Result("memory, api and worker idle", [idle / 1e6], budget=150, unit="MB"),
        Result("memory per awake Grow Agent", [each / 1e3], budget=100, unit="kB"),
    ]


def _awaken(client: httpx.Client, name: str) -> None:
    """Have a new person's Grow Agent answer once."""
    account = {"email": f"{name}@example.com", "password": "bench-password-1", "name": "Bench"}
    token = client.post("/auth/register", json=account).raise_for_status().json()["token"]
    client.headers["authorization"] = f"Bearer {token}"
    actor = client.post("/actors/provision").raise_for_status().json()["actor"]["id"]
    path = f"/actors/{actor}"
    posted = client.post(f"{path}/message", json={"text": "hello"}).raise_for_status().json()
    events = f"{path}/events?after={posted['seq']}"
    while True:
        page = client.get(events, headers={"accept": "application/json"}).raise_for_status().json()
        if any(event["data"].get("in_reply_to") for event in page["items"]):
            return


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
