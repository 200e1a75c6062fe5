"""The README's programs and the examples do what they say."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .conftest import Stage
from .javascript import SCRIPTS, needs_client, printed

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PACKAGE = Path(__file__).parents[1]
COUNTER, CHAT = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
SAID_BY_JS = """\
over HTTP: 2
over a connection: 5
event: 5
error: out_of_order this counter fails on request
error: out_of_order this counter fails on request
queue: 9
total: 9
"""


async def run(folder: Path, program: str, engine_binary: Path) -> str:
    """Run a program where npm has installed the engine."""
    (folder / "program.py").write_text(program)
    package = folder / "node_modules/@rivetkit" / "engine-cli-any"
    package.mkdir(parents=True, exist_ok=True)
    if not (package / "rivet-engine").exists():
        (package / "rivet-engine").symlink_to(engine_binary.resolve())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "program.py"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    return printed.decode()


@pytest.mark.parametrize(("program", "lines"), [(COUNTER, 15), (CHAT, 30)])
def test_programs_are_short(program: str, lines: int) -> None:
    assert len([line for line in program.splitlines() if line]) <= lines


def test_programs_satisfy_a_strict_type_checker(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(COUNTER)
    (tmp_path / "chat.py").write_text(CHAT)
    programs = [tmp_path / "counter.py", tmp_path / "chat.py", PACKAGE / "examples" / "counter.py"]
    for program in programs:
        given = ("--strict", "--cache-dir", str(tmp_path / "cache"), str(program))
        checked = subprocess.run([sys.executable, "-m", "mypy", *given], cwd=tmp_path, check=False)
        assert checked.returncode == 0


async def test_counter_goes_on_where_it_stopped(engine_binary: Path, tmp_path: Path) -> None:
    for expected in ("1\n", "2\n"):
        assert await run(tmp_path, COUNTER, engine_binary) == expected


async def test_chat_room_keeps_what_was_said(engine_binary: Path, tmp_path: Path) -> None:
    for expected in ("Ann: Hello\n1 said so far\n", "Ann: Hello\n2 said so far\n"):
        assert await run(tmp_path, CHAT, engine_binary) == expected


@asynccontextmanager
async def serving(stage: Stage) -> AsyncIterator[dict[str, str]]:
    """Run the counter example; yields the environment that it and its clients read."""
    surroundings = {**os.environ, "RIVET_ENDPOINT": stage.endpoint, "RIVET_POOL": stage.pool}
    if stage.token is not None:
        surroundings["RIVET_TOKEN"] = stage.token
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PACKAGE / "examples" / "counter.py")),
        env=surroundings,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"serving the actor counter\n"
        yield surroundings
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_counter_example_serves_the_python_client(stage: Stage, key: list[str]) -> None:
    async with serving(stage):
        counter = (await stage.client()).get_or_create("counter", key)
        assert await counter.call("increment", 2) == 2
        assert await counter.send("adds", 3, wait=True) == 5
        assert await counter.call("get") == 5


@needs_client
async def test_counter_example_serves_the_javascript_client(
    stage: Stage, key: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "counter.mjs"
    program.write_text((PACKAGE / "examples" / "counter.mjs").read_text())
    (tmp_path / "node_modules").symlink_to(SCRIPTS / "node_modules")
    async with serving(stage) as surroundings:
        for number, encoding in enumerate(["", "json"]):
            surroundings["RIVET_ENCODING"] = encoding
            lines = await printed(program, f"{key[0]}-{number}", **surroundings)
            assert lines == SAID_BY_JS.splitlines()
