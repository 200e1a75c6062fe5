from pathlib import Path

import pytest

from tests.agents.world import world

pytestmark = [pytest.mark.anyio, pytest.mark.live]


async def test_a_message_gets_its_answer_and_a_memory_becomes_a_commit(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        message_id = await home.post("remember that I like green tea")
        reply = await home.reply_to(message_id)
        assert reply["role"] == "agent"
        assert "`memory/i-like-green-tea.md`" in reply["text"]
        assert reply["metadata"] == {"model": "offline", "offline": True, "task_ids": []}

        commits = await home.services.forge.commits(home.repo)
        assert commits[0].trailers["Message"] == message_id
        assert commits[0].trailers["Actor"] == home.ids["grow"]
        told = await home.until(lambda e: e["type"] == "memory.committed")
        assert told["data"]["sha"] == commits[0].sha
        assert told["data"]["paths"] == ["memory/i-like-green-tea.md"]
