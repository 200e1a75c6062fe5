"""The engine as a child process."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import pytest
from pyrivet import Engine, EngineError, find_engine

pytestmark = pytest.mark.anyio

PARENT = """
import asyncio, sys
from pathlib import Path
from pyrivet import Engine

async def main():
    async with Engine(Path(sys.argv[1]), Path(sys.argv[2])) as engine:
        print(engine.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def healthy(endpoint: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"{endpoint}/health")).is_success
        except httpx.HTTPError:
            return False


async def test_missing_binary_is_explained(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="npm package"):
        async with Engine(tmp_path / "rivet-engine", tmp_path):
            pass


async def test_what_a_failing_binary_printed_is_shown(tmp_path: Path) -> None:
    binary = tmp_path / "rivet-engine"
    binary.write_text('#!/bin/sh\necho "no such thing, $RIVET__AUTH__ADMIN_TOKEN"\nexit 3\n')
    binary.chmod(0o755)
    with pytest.raises(EngineError, match="no such thing") as caught:
        async with Engine(binary, tmp_path / "data", token="secret"):
            pass
    assert "secret" not in str(caught.value)


def test_finds_what_npm_has_installed_in_a_folder_above(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(EngineError, match="npm package"):
        find_engine(inner)
    package = tmp_path / "node_modules/@rivetkit/engine-cli-linux-x64-musl"
    package.mkdir(parents=True)
    (package / "rivet-engine").touch()
    assert find_engine(inner) == package / "rivet-engine"


@pytest.mark.live
async def test_runs_as_a_command_on_the_port_that_is_asked_for(
    engine_binary: Path, tmp_path: Path
) -> None:
    given = ("--binary", str(engine_binary), "--data", str(tmp_path), "--port")
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pyrivet", *given, port), stderr=asyncio.subprocess.PIPE
        )
        _, problem = await refused.communicate()
        assert (refused.returncode, f"port {port} is taken" in problem.decode()) == (1, True)
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pyrivet", *given, port), stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    endpoint = f"http://127.0.0.1:{port}"
    assert await engine.stdout.readline() == f"Rivet Engine answers at {endpoint}\n".encode()
    assert await healthy(endpoint)
    engine.send_signal(signal.SIGINT)
    assert await engine.wait() == 0
    assert not await healthy(endpoint)


@pytest.mark.live
@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"threads": 2}, 2)])
async def test_works_on_one_thread_or_as_many_as_are_asked_for(
    engine_binary: Path, tmp_path: Path, given: dict[str, Any], threads: int
) -> None:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    engine = Engine(engine_binary, tmp_path, settings={"METRICS__PORT": port}, **given)
    async with engine, httpx.AsyncClient(trust_env=False) as http:
        metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    assert f"rivet_tokio_thread_count {threads}" in metrics.splitlines()


@pytest.mark.live
async def test_restarts_on_the_same_address_when_asked(engine_binary: Path, tmp_path: Path) -> None:
    async with Engine(engine_binary, tmp_path) as engine:
        endpoint, first = engine.endpoint, engine.pid
        await engine.restart()
        assert await healthy(endpoint)
        assert engine.pid != first
        assert engine.restarts == 0


@pytest.mark.live
async def test_comes_back_on_the_same_address_and_ends_with_its_context(
    engine_binary: Path, tmp_path: Path
) -> None:
    async with Engine(engine_binary, tmp_path) as engine:
        endpoint, first = engine.endpoint, engine.pid
        assert await healthy(endpoint)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while engine.restarts == 0 or not await healthy(endpoint):
            await asyncio.sleep(0.05)
        assert engine.pid != first
    assert not await healthy(endpoint)
    assert (tmp_path / "engine.log").stat().st_mode & 0o077 == 0


@pytest.mark.live
async def test_ends_with_a_killed_parent_and_leaves_the_folder_to_the_next(
    engine_binary: Path, tmp_path: Path
) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(engine_binary), str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    orphan = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with Engine(engine_binary, tmp_path) as engine:
        assert engine.pid != orphan
        assert await healthy(engine.endpoint)
