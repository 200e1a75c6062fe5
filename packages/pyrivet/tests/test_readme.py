"""The README's programs and the examples do what they say."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from .conftest import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PACKAGE = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
CHAT = (PACKAGE / "examples" / "chat.py").read_text()


async def run(folder: Path, program: str, engine_binary: Path) -> str:
    (folder / "program.py").write_text(program)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "program.py", str(engine_binary.resolve())),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    return printed.decode()


async def test_counter_goes_on_where_it_stopped(engine_binary: Path, tmp_path: Path) -> None:
    for expected in ("1\n", "2\n"):
        assert await run(tmp_path, BLOCKS[0], engine_binary) == expected


async def test_chat_room_keeps_what_was_said(engine_binary: Path, tmp_path: Path) -> None:
    for expected in ("Ann: Hello\n1 said so far\n", "Ann: Hello\n2 said so far\n"):
        assert await run(tmp_path, CHAT, engine_binary) == expected


async def test_counter_example_serves_any_client(stage: Stage, key: list[str]) -> None:
    surroundings = {"RIVET_ENDPOINT": stage.endpoint, "RIVET_POOL": stage.pool}
    if stage.token is not None:
        surroundings["RIVET_TOKEN"] = stage.token
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PACKAGE / "examples" / "counter.py")),
        env={**os.environ, **surroundings},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"serving the actor counter\n"
        counter = (await stage.client()).get_or_create("counter", key)
        assert await counter.call("increment", 2) == 2
        assert await counter.send("adds", 3, wait=True) == 5
        assert await counter.call("get") == 5
    finally:
        process.terminate()
        assert await process.wait() == 0
