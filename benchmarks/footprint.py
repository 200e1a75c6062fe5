"""What the platform takes from a machine: time until it is ready, memory idle and per agent.

The time to ready is that of `growqr up` on a data folder that has been used before, after the
set-up: what `./grow up` takes again. Memory is the resident set of the one process with api and
worker, whole, with all that it shares with others; the engine is a process of its own. Idle is
right after the start, when no agent has been awake: the first one loads the models' library,
which stays. An awake agent is a Grow Agent that has just answered.
"""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx

from benchmarks.report import Result
from growqr.testing import Platform
from tests.support.engine import running_engine

STARTS = 5
WARM_UP = 20
"""People who come first: caches of bounded size are full then, and are no agent's own."""
PEOPLE = 60
AT_ONCE = 4
AWAKE_SECONDS = 30
"""An agent that nobody talks to sleeps after this time, and takes no memory then."""


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder))
        first, *again = [_seconds_to_ready(platform) for _ in range(STARTS + 1)]
        return [
            Result("first start", [first], unit="s"),
            Result("start again", again, budget=5, unit="s"),
            *_memory(Path(folder)),
            *_memory_apart(Path(folder)),
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
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        idle = _resident_bytes(platform.pid)
        awaken = partial(_awaken, client)
        tokens = [_register(client, f"{number}@example.com") for number in range(WARM_UP + PEOPLE)]
        began = time.monotonic()
        awaken(tokens[0])
        loaded = _resident_bytes(platform.pid)
        list(threads.map(awaken, tokens[1:WARM_UP]))
        before = _resident_bytes(platform.pid)
        list(threads.map(awaken, tokens[WARM_UP:]))
        each = (_resident_bytes(platform.pid) - before) / PEOPLE
        if time.monotonic() - began > AWAKE_SECONDS:
            raise RuntimeError("this machine is too busy: the first agents sleep by now")
    return [
        Result("memory, api and worker idle", [idle / 1e6], budget=150, unit="MB"),
        Result("memory, first agent awake", [loaded / 1e6], unit="MB"),
        Result("memory per awake Grow Agent", [each / 1e3], budget=100, unit="kB"),
    ]


def _memory_apart(folder: Path) -> list[Result]:
    """The same idle parts as processes of their own."""
    with (
        running_engine(folder / "apart") as engine,
        Platform(folder, {"GROWQR_RIVET__ENDPOINT": engine}, command="api") as api,
        Platform(folder, {"GROWQR_RIVET__ENDPOINT": engine}, command="worker") as worker,
    ):
        return [
            Result(
                f"memory, {part.command} alone, idle", [_resident_bytes(part.pid) / 1e6], unit="MB"
            )
            for part in (api, worker)
        ]


def _register(client: httpx.Client, email: str) -> str:
    account = {"email": email, "password": "bench-password-1", "name": "Bench"}
    answer = client.post("/auth/register", json=account).raise_for_status().json()
    return str(answer["token"])


def _awaken(client: httpx.Client, token: str) -> None:
    """Have a person's new Grow Agent answer once."""

    def call(method: str, path: str, json: object = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        answer = client.request(method, path, json=json, headers=headers).raise_for_status()
        return cast("dict[str, Any]", answer.json())

    path = f"/actors/{call('POST', '/actors/provision')['actor']['id']}"
    after = call("POST", f"{path}/message", {"text": "hello"})["seq"]
    answered = False
    while not answered:
        events = call("GET", f"{path}/events?after={after}")["items"]
        answered = any(event["data"].get("in_reply_to") for event in events)


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
