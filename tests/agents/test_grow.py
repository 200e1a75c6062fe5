from pathlib import Path
from typing import Any

import pytest
from pyrivet import ActionError

from growqr.identity.principal import Principal
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


async def test_the_first_start_welcomes_the_user_and_names_the_agents(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        page = await home.agent("grow").call("messages", None, 10)
        assert [m["role"] for m in page["items"]] == ["agent"]
        assert "Ada" in page["items"][0]["text"]
        spawned = [e["data"]["name"] for e in await home.events() if e["type"] == "agent.spawned"]
        assert sorted(spawned) == ["coding", "repo"]
        channels = await home.agent("grow").call("channels")
        assert {channel["status"] for channel in channels.values()} == {"idle"}
        assert sorted(channel["unread"] for channel in channels.values()) == [0, 0, 1]


async def test_a_repeated_message_is_taken_once(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        grow = home.agent("grow")
        wish = {"text": "hello", "idempotency_key": "k1"}
        first = await grow.call("post_message", wish)
        assert await grow.call("post_message", wish) == first
        await home.reply_to(first["message_id"])
        assert await grow.call("post_message", wish) == first
        assert len(await home.answers(first["message_id"])) == 1
        with pytest.raises(ActionError) as refused:
            await grow.call("post_message", {"text": "other", "idempotency_key": "k1"})
        assert refused.value.code == "conflict"


@pytest.mark.parametrize("text", ["", " \n\0 ", "x" * 32_001])
async def test_a_message_that_breaks_the_rules_changes_nothing(
    tmp_path: Path, engine: str, text: str
) -> None:
    async with world(tmp_path, engine) as home:
        before = await home.events()
        with pytest.raises(ActionError) as refused:
            await home.post(text)
        assert refused.value.code == "invalid_input"
        assert await home.events() == before


async def test_the_largest_message_fits(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        text = "\N{GRINNING FACE}" * 31_999 + '"'
        await home.reply_to(await home.post(text))
        page = await home.agent("grow").call("messages", None, 2)
        assert page["items"][0]["text"] == text


async def test_strangers_are_refused(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        person = home.services.tokens.issue(Principal(home.user_id, "ada@example.org", "Ada"))
        service = home.services.tokens.for_service(
            user_id=home.user_id, actor_id=home.ids["grow"], audience="scores", scope="scores:read"
        )
        for params in ({}, *({"token": text} for text in ("guess", person.text, service))):
            async with home.stranger(params) as client:
                grow = client.get_or_create("grow", [home.ids["grow"]])
                with pytest.raises(ActionError) as refused:
                    await grow.call("events", 0, 10)
                assert refused.value.code == "unauthorized"


async def test_reports_are_taken_in_order_and_once(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        grow = home.agent("grow")
        source = home.ids["coding"]

        def report(seq: int) -> dict[str, Any]:
            return {
                "seq": seq,
                "type": "task.log",
                "actor_id": source,
                "channel_id": "chn",
                "task_id": "tsk",
                "data": {"stream": "stdout", "text": str(seq)},
            }

        assert await grow.call("ingest", source, [report(1), report(2)]) == {"after": 2}
        assert await grow.call("ingest", source, [report(1), report(2), report(3)]) == {"after": 3}
        with pytest.raises(ActionError) as refused:
            await grow.call("ingest", source, [report(5)])
        assert (refused.value.code, refused.value.metadata) == ("out_of_order", {"after": 3})
        with pytest.raises(ActionError) as stranger:
            await grow.call("ingest", "act_stranger", [report(1)])
        assert stranger.value.code == "not_found"

        logs = [e for e in await home.events() if e["type"] == "task.log"]
        assert [e["data"]["text"] for e in logs] == ["1", "2", "3"]
        assert [e["source_seq"] for e in logs] == [1, 2, 3]


async def test_what_was_said_is_in_git_when_the_agent_is_stopped(
    tmp_path: Path, engine: str
) -> None:
    async with world(tmp_path, engine) as home:
        await home.reply_to(await home.post("hello, I like tea"))
        await home.agent("grow").call("set_running", False)
        saved = await home.services.forge.blob(home.repo, "state/snapshot.json")
        assert b"hello, I like tea" in saved


async def test_channels_count_what_is_unread(tmp_path: Path, engine: str) -> None:
    async with world(tmp_path, engine) as home:
        await home.reply_to(await home.post("hello", to="coding"))
        grow = home.agent("grow")
        channels = await grow.call("channels")
        unread = {key: c["unread"] for key, c in channels.items() if "coding" in key}
        assert list(unread.values()) == [1]
        (channel_id,) = unread
        async with grow.subscribe("event") as elsewhere:
            await grow.call("mark_read", channel_id)
            while (told := (await anext(elsewhere))[0])["type"] != "channel.read":
                pass
        assert (told["seq"], told["channel_id"]) == (None, channel_id)
        assert (await grow.call("channels"))[channel_id]["unread"] == 0
