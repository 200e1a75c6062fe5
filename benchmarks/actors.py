"""Actors in Python beside the same actors written with RivetKit, on one engine, in one run.

Both are called by the same clients in RivetKit's JSON encoding, in turns of a few calls, so that
other load on the machine meets both; the many that are kept awake come one side after the other,
each on an engine of its own. The budget of pyrivet's rows is RivetKit's median. Needs
`node` and `npm`; RivetKit is installed at the first run. GROWQR_BENCH_AWAKE says how many actors
are kept awake (1000).
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import fmean

import httpx
from pyrivet import ActorHandle, Client, Engine

from benchmarks.report import Result
from growqr.app import find_engine
from growqr.settings import Settings

RIVETKIT = Path(__file__).with_name("rivetkit")
SERVER = Path(__file__).with_name("actors_worker.py")
AWAKE = int(os.environ.get("GROWQR_BENCH_AWAKE", "1000"))
# As the engine has it by itself. While it makes a thousand actors on a busy machine it may be
# silent for the 3 s after which a worker gives its actors up, and too few would be counted.
PATIENT = {
    "PEGBOARD__ENVOY_LOST_THRESHOLD": "15000",
    "PEGBOARD__ENVOY_ELIGIBLE_THRESHOLD": "10000",
    "PEGBOARD__ENVOY_PING_TIMEOUT": "15000",
}
_SIDES = ("pyrivet", "RivetKit")
TURNS = 5
CALLS = 50
WARM_UP = 10
CONNECTIONS = 16
FOLLOWERS = 100
EVENTS = 5
WAKES = 5
AT_ONCE = 8
PATIENCE = timedelta(minutes=3)


@dataclass(frozen=True)
class Side:
    """One of the two who host the actors."""

    name: str
    pid: int
    engine_pid: int
    client: Client
    endpoint: str

    def actor(self, kind: str, *key: str) -> ActorHandle:
        # The engine gives each name and key to one actor, whatever pool asks.
        return self.client.get_or_create(kind, [self.name, *key])

    def cpu_ms(self) -> dict[str, float]:
        """Return what each process has used so far."""
        pids = {"engine": self.engine_pid, "worker": self.pid, "client": os.getpid()}
        return {who: _cpu_ms(pid) for who, pid in pids.items()}

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


@dataclass(frozen=True)
class Sample:
    """What one side took for one row."""

    times_ms: list[float]
    per_second: float | None = None
    cpu_ms: dict[str, float] = field(default_factory=dict)
    """For one call, by process."""


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> list[Result]:
    rows: list[tuple[str, Callable[[Side], Awaitable[Sample]]]] = [
        ("action over HTTP", over_http),
        ("action, 1 connection", lambda side: over_connections(side, "echo", 1)),
        (
            f"action, {CONNECTIONS} connections",
            lambda side: over_connections(side, "echo", CONNECTIONS),
        ),
        ("durable increment, 1 connection", lambda side: over_connections(side, "increment", 1)),
        ("wake from sleep", wake),
        (f"event to {FOLLOWERS} connections", events),
    ]
    # Each on an engine of its own: with its storage in files an engine spends a processor on a
    # thousand awake actors, and who comes second would pay for who came first.
    kept = []
    for name in _SIDES:
        async with _hosted(folder / name, [name]) as (side,):
            kept.append(await awake(side))
    (ours, our_kb), (theirs, their_kb) = kept
    middle = Result("", theirs.times_ms).percentile(50)
    results = [
        Result(f"waking {AWAKE} actors: pyrivet", ours.times_ms, middle, ours.per_second),
        Result(f"waking {AWAKE} actors: RivetKit", theirs.times_ms, None, theirs.per_second),
        Result("memory per awake actor: pyrivet", [our_kb], their_kb, unit="kB"),
        Result("memory per awake actor: RivetKit", [their_kb], unit="kB"),
    ]
    async with _hosted(folder / "rows", _SIDES) as sides:
        for what, measure in rows:
            ours, theirs = await _in_turns(sides, measure)
            middle = Result(what, theirs.times_ms).percentile(50)
            results += [
                Result(f"{what}: pyrivet", ours.times_ms, middle, ours.per_second),
                Result(f"{what}: RivetKit", theirs.times_ms, None, theirs.per_second),
            ]
            results += [
                Result(f"{what}: CPU of the {who}, {side.name}", [sample.cpu_ms[who]])
                for side, sample in zip(sides, (ours, theirs), strict=True)
                for who in sample.cpu_ms
            ]
    return results


@asynccontextmanager
async def _hosted(folder: Path, names: Sequence[str]) -> AsyncIterator[list[Side]]:
    """Start an engine, and on it those who host the actors."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            Engine(find_engine(Settings()), folder, token="bench", settings=PATIENT)
        )
        yield [await stack.enter_async_context(_side(engine, name)) for name in names]


async def _in_turns(
    sides: list[Side], measure: Callable[[Side], Awaitable[Sample]]
) -> list[Sample]:
    """Measure the sides by turns and put together what each has taken."""
    turns: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for turn in range(TURNS):
        for side in sides if turn % 2 else sides[::-1]:
            turns[side.name].append(await measure(side))
    return [_merged(samples) for samples in turns.values()]


def _merged(samples: list[Sample]) -> Sample:
    rates = [sample.per_second for sample in samples if sample.per_second is not None]
    times = [time for sample in samples for time in sample.times_ms]
    cpu_ms = {who: fmean(sample.cpu_ms[who] for sample in samples) for who in samples[0].cpu_ms}
    return Sample(times, fmean(rates) if rates else None, cpu_ms)


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def _side(engine: Engine, name: str) -> AsyncIterator[Side]:
    """Start a worker process with a pool of its own."""
    pool = name.lower()
    program, script = (
        (sys.executable, SERVER) if name == "pyrivet" else ("node", _rivetkit() / "server.mjs")
    )
    await _make_pool(engine, pool)
    given = (program, str(script), engine.endpoint, engine.token or "", pool)
    process = await asyncio.create_subprocess_exec(*given, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while (line := await process.stdout.readline()) != b"ready\n":
                if not line:
                    raise RuntimeError(f"{name} did not start")
        async with Client(engine.endpoint, pool=pool, idle=timedelta(seconds=1)) as client:
            yield Side(name, process.pid, engine.pid or 0, client, engine.endpoint)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _make_pool(engine: Engine, pool: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.put(
            f"{engine.endpoint}/runner-configs/{pool}",
            params={"namespace": "default"},
            headers={"authorization": f"Bearer {engine.token}"},
            json={"datacenters": {"default": {"normal": {}}}},
        )
        answer.raise_for_status()


def _rivetkit() -> Path:
    """Install RivetKit if it is not there; returns its folder."""
    if not (RIVETKIT / "node_modules" / "rivetkit").is_dir():
        # Not `npm ci`, which refuses a lock without the builds for every other platform.
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=RIVETKIT, check=True, stdout=sys.stderr)
    return RIVETKIT


async def over_http(side: Side) -> Sample:
    """Call one actor, one request at a time, over one HTTP connection."""
    actor = side.actor("awake", "http")
    await actor.call("echo", 1, timeout=PATIENCE)
    query = {"rvt-namespace": "default", "rvt-method": "get", "rvt-key": f"{side.name},http"}
    url = f"{side.endpoint}/gateway/awake/action/echo"
    headers = {"x-rivet-encoding": "json"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as http:

        async def call() -> None:
            (await http.post(url, params=query, json={"args": [1]})).raise_for_status()

        return await _together(side, [call])


async def over_connections(side: Side, action: str, count: int) -> Sample:
    """Call as many actors at once, each over a connection of its own."""
    actors = [side.actor("awake", action, str(number)) for number in range(count)]
    return await _together(
        side,
        [
            lambda a=actor: a.call(action, 1, timeout=PATIENCE)  # type: ignore[misc]
            for actor in actors
        ],
    )


async def wake(side: Side) -> Sample:
    """Call actors that sleep."""
    actors = [side.actor("sleepy", str(number)) for number in range(WAKES)]
    await asyncio.gather(*(actor.call("increment", 1, timeout=PATIENCE) for actor in actors))
    # The client lets go of a connection after a second, and the actor sleeps 0.1 s later.
    await asyncio.sleep(4)
    times = [
        await _timed(lambda a=actor: a.call("increment", 1, timeout=PATIENCE))  # type: ignore[misc]
        for actor in actors
    ]
    return Sample(times)


async def events(side: Side) -> Sample:
    """Measure from the call that publishes until the last of many connections has the event."""
    times: list[float] = []
    async with AsyncExitStack() as stack:
        following = []
        for _ in range(FOLLOWERS):
            client = Client(side.endpoint, pool=side.name.lower())
            actor = (await stack.enter_async_context(client)).get_or_create(
                "awake", [side.name, "events"]
            )
            following.append(await stack.enter_async_context(actor.subscribe("news")))
        for number in range(EVENTS):
            publish = side.actor("awake", "events").call("publish", number)
            times.append(
                await _timed(lambda p=publish: asyncio.gather(p, *map(anext, following)))  # type: ignore[misc]
            )
    return Sample(times)


async def awake(side: Side) -> tuple[Sample, float]:
    """Make many actors and keep them awake; also returns the kilobytes that each takes."""
    before = side.memory_kb()
    turns = asyncio.Semaphore(AT_ONCE)
    began = time.perf_counter()

    async def start(number: int) -> float:
        async with turns:
            actor = side.actor("awake", "many", str(number))
            return await _timed(lambda: actor.call("increment", 1, timeout=PATIENCE))

    times = await asyncio.gather(*(start(number) for number in range(AWAKE)))
    per_second = AWAKE / (time.perf_counter() - began)
    return Sample(times, per_second), (side.memory_kb() - before) / AWAKE


async def _together(side: Side, calls: list[Callable[[], Awaitable[object]]]) -> Sample:
    """Run each call many times in a row, all of them side by side, after a warm-up."""

    async def several(call: Callable[[], Awaitable[object]], count: int) -> list[float]:
        return [await _timed(call) for _ in range(count)]

    await asyncio.gather(*(several(call, WARM_UP) for call in calls))
    began, busy = time.perf_counter(), side.cpu_ms()
    times = await asyncio.gather(*(several(call, CALLS) for call in calls))
    count, seconds = CALLS * len(calls), time.perf_counter() - began
    cpu_ms = {who: (now - busy[who]) / count for who, now in side.cpu_ms().items()}
    return Sample([each for some in times for each in some], count / seconds, cpu_ms)


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000
