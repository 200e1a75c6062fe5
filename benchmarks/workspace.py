"""Cold start of OpenCode: bare, in bubblewrap, and in a container, in turns within one run.

A start ends when the server has answered a first question. The ratios are of a sandboxed start
and the bare one of the same round, so other work on the machine counts for both. Memory is what
everything in a sandbox holds, without the kernel's cache. Needs root for the last two as they
run in production; a runtime that this machine lacks is left out, and says so.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from benchmarks.report import Result
from growqr.errors import GrowError
from growqr.models.gateway import ModelGateway
from growqr.opencode import Workspace, Workspaces, WorkspaceSpec, find_opencode
from growqr.opencode.config import environment
from growqr.opencode.rules import Rules
from growqr.settings import SandboxSettings, Settings

ROUNDS = 10
PROMPTS = 5
SANDBOX_RATIO = 1.05

Start = Callable[[], Awaitable[float]]
"""Starts once, ends it again; returns the milliseconds until it answered."""
Memory = dict[str, list[float]]
"""Megabytes by what was measured."""


def run() -> list[Result]:
    return asyncio.run(_run())


async def _run() -> list[Result]:
    times: dict[str, list[float]] = {}
    memory: Memory = {}
    with tempfile.TemporaryDirectory(prefix="growqr-bench-") as folder:
        async with AsyncExitStack() as stack:
            kinds: dict[str, Start] = {"bare": lambda: _bare(Path(folder))}
            for runtime in ("bubblewrap", "container"):
                try:
                    kinds[runtime] = await stack.enter_async_context(
                        _sandboxed(runtime, Path(folder), memory)
                    )
                except (GrowError, OSError) as error:
                    print(f"{runtime} is left out: {error}")
            for _ in range(ROUNDS):
                for kind, start in kinds.items():
                    times.setdefault(kind, []).append(await start())
    return [
        *(Result(f"OpenCode cold start, {kind}", taken) for kind, taken in times.items()),
        *(
            Result(
                f"cold start, {kind} to bare",
                [one / bare for one, bare in zip(taken, times["bare"], strict=True)],
                SANDBOX_RATIO if kind == "bubblewrap" else None,
                unit="ratio",
            )
            for kind, taken in times.items()
            if kind != "bare"
        ),
        *(Result(what, held, unit="MB") for what, held in memory.items()),
    ]


async def _bare(folder: Path) -> float:
    gateway = ModelGateway(Settings().model)
    with tempfile.TemporaryDirectory(dir=folder) as home, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        given = environment(gateway.opencode_config("bare"), Rules(), password="bench")
        began = time.perf_counter()
        server = await asyncio.create_subprocess_exec(
            *(str(find_opencode()), "serve", "--hostname", "127.0.0.1", "--port", str(port)),
            "--pure",
            env={"HOME": home, "PATH": os.environ["PATH"], **given},
            cwd=home,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            assert server.stdout is not None
            while b"listening" not in (line := await server.stdout.readline()):
                assert line, "OpenCode ended"
            async with httpx.AsyncClient(auth=("opencode", "bench"), timeout=60) as client:
                (await client.get(f"http://127.0.0.1:{port}/agent")).raise_for_status()
            return (time.perf_counter() - began) * 1000
        finally:
            server.kill()
            await server.wait()
            await gateway.aclose()


@asynccontextmanager
async def _sandboxed(runtime: str, folder: Path, memory: Memory) -> AsyncIterator[Start]:
    engine = ""
    async with AsyncExitStack() as stack:
        if runtime == "container":
            engine = str(folder / "podman.sock")
            service = _podman(engine)
            stack.callback(service.wait)
            stack.callback(service.terminate)
            while not Path(engine).is_socket() and service.poll() is None:
                await asyncio.sleep(0.02)
        settings = Settings(
            data_dir=folder / runtime,
            sandbox=SandboxSettings.model_validate({"runtime": runtime, "engine": engine}),
        )
        gateway = ModelGateway(settings.model)
        stack.push_async_callback(gateway.aclose)
        workspaces = Workspaces(settings, gateway)
        stack.push_async_callback(workspaces.aclose)
        made = 0

        async def start() -> float:
            nonlocal made
            made += 1  # a new one each time, as bare: with an empty home
            workspace = await workspaces.get(_spec(made))
            began = time.perf_counter()
            await workspace.start()
            taken = (time.perf_counter() - began) * 1000
            await workspace.stop()
            return taken

        await start()  # shows whether it works here, and warms the disk's cache up
        await _hold(await workspaces.get(_spec(0)), runtime, memory)
        yield start


def _spec(number: int) -> WorkspaceSpec:
    return WorkspaceSpec(f"wsp_bench{number}", "usr_bench", f"act_bench{number}")


async def _hold(workspace: Workspace, runtime: str, memory: Memory) -> None:
    """Add what a server holds after its start, and after prompts."""

    async def look(when: str) -> None:
        assert workspace._server is not None
        held = await workspace._server.memory_bytes()
        assert held is not None
        memory[f"memory, {runtime}, {when}"] = [held / 1e6]

    session = await workspace.create_session("Bench")
    await look("started")
    for number in range(PROMPTS):
        async for _ in workspace.prompt(session, f"run: echo {number}"):
            pass
    await look(f"after {PROMPTS} prompts")
    await workspace.stop()


def _podman(engine: str) -> subprocess.Popen[bytes]:
    podman = shutil.which("podman")
    if podman is None or shutil.which("runc") is None:
        raise OSError("podman and runc are not installed")
    command = [podman, "--runtime", "runc", "system", "service", "--time=0", f"unix://{engine}"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)
