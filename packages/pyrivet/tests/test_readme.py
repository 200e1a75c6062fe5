"""The README's example does what it says."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.live]

README = Path(__file__).parents[1] / "README.md"


async def test_counter_goes_on_where_it_stopped(engine_binary: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "counter.py").write_text(blocks[0])
    for expected in ("1\n", "2\n"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "counter.py", str(engine_binary.resolve())),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert printed.decode() == expected
