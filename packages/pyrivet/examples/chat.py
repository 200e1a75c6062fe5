"""A chat room: messages are kept, everybody who listens hears them."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from pyrivet import Actor, Client, Engine, Worker, action


class Room(Actor):
    async def on_create(self) -> None:
        await self.db.script("CREATE TABLE IF NOT EXISTS message (author TEXT, text TEXT)")

    @action
    async def say(self, author: str, text: str) -> None:
        await self.db.execute("INSERT INTO message VALUES (?, ?)", author, text)
        await self.broadcast("said", author, text)

    @action
    async def history(self) -> list[dict[str, Any]]:
        return await self.db.query("SELECT author, text FROM message")


async def main(binary: Path, folder: Path) -> None:
    async with (
        Engine(binary, folder) as engine,
        Worker(engine.endpoint, {"room": Room}),
        Client(engine.endpoint) as client,
    ):
        room = client.get_or_create("room", ["lobby"])
        async with room.subscribe("said") as said:
            await room.call("say", "Ann", "Hello")
            print(*await anext(said), sep=": ")  # noqa: T201 - the program's output
        print(len(await room.call("history")), "said so far")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path("chat-data")))
