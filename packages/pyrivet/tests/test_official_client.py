"""RivetKit's own JavaScript client uses Python actors, in each of its encodings."""

import asyncio
import json
from typing import Any

import pytest
from pyrivet import (
    ActionError,
    Actor,
    Connection,
    Request,
    Response,
    action,
    queue,
)

from .conftest import Stage
from .javascript import SCRIPTS, needs_client, printed

pytestmark = [pytest.mark.anyio, pytest.mark.live]

ENCODINGS = ["json", "cbor", "bare", "default"]


class Probe(Actor):
    """Everything that a client can ask for."""

    def __init__(self) -> None:
        self.total = 0
        self.released = asyncio.Event()
        self.last: Connection | None = None

    async def on_connect(self, conn: Connection) -> None:
        self.last = conn

    @action
    async def increment(self, by: int) -> int:
        self.total += by
        await self.broadcast("changed", self.total, {"by": by})
        return self.total

    @action
    async def get(self) -> int:
        return self.total

    @action
    async def echo(self, value: Any) -> Any:
        return value

    @action
    async def length(self, data: bytes) -> int:
        return len(data)

    @action
    async def fail(self) -> None:
        raise ActionError("not_today", "come back tomorrow", {"hours": [24]})

    @action
    async def crash(self) -> None:
        raise RuntimeError("secret detail")

    @action
    async def whisper(self, text: str) -> None:
        assert self.last is not None
        await self.last.send("note", text, None)

    @action(concurrent=True)
    async def release(self) -> None:
        self.released.set()

    @queue("adds")
    async def add(self, by: int) -> int:
        if by < 0:
            raise ActionError("negative", "only forward", {"by": by})
        return await self.increment(by)

    @queue("slow")
    async def wait(self, _: Any) -> None:
        await self.released.wait()

    async def on_request(self, request: Request) -> Response:
        text = f"{request.method} {request.path} {request.query} {(await request.body()).decode()}"
        return Response(text, 201, {"x-kind": "raw"})


VALUES: list[Any] = [None, True, 1.5, "é", [1, [2]], {"a": {"b": []}}, ["$x", 1]]
NOT_TODAY = {
    "group": "user",
    "code": "not_today",
    "message": "come back tomorrow",
    "metadata": {"hours": [24]},
}


@needs_client
@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_official_client(stage: Stage, key: list[str], encoding: str) -> None:
    await stage.work(probe=Probe)
    where = (stage.endpoint, "default", stage.pool)
    lines = await printed(SCRIPTS / "official_client.mjs", *where, encoding, *key)
    seen = json.loads(lines[-1])

    assert seen["http"] == 2
    assert seen["httpFailure"] == seen["failure"] == NOT_TODAY
    for hidden in (seen["httpHidden"], seen["hidden"]):
        assert (hidden["group"], hidden["code"]) == ("actor", "internal_error")
        assert "secret" not in json.dumps(hidden)
    assert seen["httpMissing"]["code"] == "action_not_found"
    assert seen["httpInvalid"]["code"] == "invalid_input"
    for values in (seen["httpEcho"], seen["echo"]):
        assert values[:7] == VALUES
        assert values[8] == "bytes 0,255"
    assert seen["length"] == 3
    assert seen["connected"] == 5
    assert seen["changes"][:3] == [[5, {"by": 3}], [6, {"by": 1}], [16, {"by": 10}]]
    assert seen["note"] == ["psst", None]
    assert seen["answered"] == {"status": "completed", "response": 16}
    assert seen["sent"] is None
    assert seen["timedOut"] == {"status": "timedOut"}
    assert seen["queueFailure"]["code"] == "negative"
    assert seen["queueMissing"]["code"] == "queue_not_found"
    assert seen["total"] == 116
    assert seen["raw"] == [201, "raw", "POST /hello name=world payload"]
