"""Agents in memory behind pyrivet's client interface: the network edge, for tests of the api.

The real agents on a real engine are tested in `tests/agents` and `tests/e2e`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pyrivet import ActionError, Client, EventsLost, Unreachable

Json = dict[str, Any]


class FakeAgent:
    """Enough of an agent: a stored log, messages, tasks, runs and sessions."""

    def __init__(self, name: str, actor_id: str) -> None:
        self.name = name
        self.actor_id = actor_id
        self.log: list[Json] = []
        self.posted: dict[str, Json] = {}
        self.running = True
        self.task_rows: dict[str, Json] = {}
        self.run_rows: dict[str, Json] = {}
        self.session_ids: set[str] = set()
        self.calls: list[str] = []
        self.followers: list[asyncio.Queue[Json | Exception]] = []

    def emit(self, kind: str, data: Json, *, heard: bool = True, stored: bool = True) -> Json:
        """Add an event; not `heard`: followers miss it, as when a connection broke."""
        event: Json = {
            "seq": len(self.log) + 1 if stored else None,
            "type": kind,
            "at": datetime.now(UTC).isoformat(),
            "actor_id": self.actor_id,
            "channel_id": f"chn_of_{self.actor_id}",
            "task_id": None,
            "data": data,
        }
        if stored:
            self.log.append(event)
        if heard:
            self.tell(event)
        return event

    def tell(self, news: Json | Exception) -> None:
        for follower in self.followers:
            follower.put_nowait(news)

    def post_message(self, message: Json) -> Json:
        if not self.running:
            raise ActionError("agent_stopped", "Stopped.")
        key = message["idempotency_key"] or message["message_id"]
        if key not in self.posted:
            data = {"message_id": message["message_id"], "role": "user", "text": message["text"]}
            event = self.emit("message.created", data)
            self.posted[key] = {"message_id": message["message_id"], "seq": event["seq"]}
        return self.posted[key]

    def events(self, after: int, limit: int) -> list[Json]:
        return self.log[after : after + limit]

    def messages(self, before: int | None, limit: int) -> Json:
        found = [
            {
                "id": event["data"]["message_id"],
                "seq": event["seq"],
                "role": "user",
                "author": "Ada",
                "text": event["data"]["text"],
                "at": event["at"],
            }
            for event in self.log
            if event["type"] == "message.created" and (before is None or event["seq"] < before)
        ][-limit:]
        return {"items": found, "before": found[0]["seq"] if len(found) == limit else None}

    def notice(self, notice: Json) -> None:
        if notice["message_id"] not in self.posted:
            data = {"message_id": notice["message_id"], "role": "system", "text": notice["text"]}
            self.posted[notice["message_id"]] = data
            self.emit("message.completed", data)
            self.emit("billing.changed", notice["billing"])

    def set_running(self, running: bool) -> None:
        self.running = running

    def add_task(self, task_id: str) -> None:
        self.task_rows[task_id] = {
            "id": task_id,
            "actor_id": "act_coding",
            "agent": "coding",
            "title": "Write a program",
            "prompt": "Write a program that prints 42",
            "status": "running",
            "requested_by": self.actor_id,
        }

    def tasks(self, status: str | None, before: int | None, limit: int) -> Json:
        rows = [row for row in self.task_rows.values() if status in (None, row["status"])]
        start = before or 0
        page = rows[start : start + limit]
        return {"items": page, "before": start + limit if len(page) == limit else None}

    def task(self, task_id: str) -> Json:
        if task_id not in self.task_rows:
            raise ActionError("not_found", "No task of that id.")
        return self.task_rows[task_id]

    def _move(self, task_id: str, status: str) -> Json:
        task = self.task(task_id)
        if task["status"] == "cancelled":
            raise ActionError("conflict", "The task is finished.")
        task["status"] = status
        return task

    def pause_task(self, task_id: str) -> Json:
        return self._move(task_id, "paused")

    def resume_task(self, task_id: str) -> Json:
        return self._move(task_id, "running")

    def cancel_task(self, task_id: str) -> Json:
        return self._move(task_id, "cancelled")

    def channels(self) -> Json:
        return {}

    def mark_read(self, channel_id: str) -> None:
        return None

    def start_quest(self, wish: Json) -> Json:
        run = {
            "id": wish["run_id"],
            "quest_key": wish["key"],
            "status": "running",
            "step": 0,
            "steps": [{"title": "First", "status": "running"}],
        }
        return self.run_rows.setdefault(wish["run_id"], run)

    def runs(self, before: str | None, limit: int) -> Json:
        ids = list(reversed(self.run_rows))
        start = ids.index(before) + 1 if before is not None else 0
        page = ids[start : start + limit]
        more = page[-1] if len(page) == limit else None
        return {"items": [self.run_rows[run_id] for run_id in page], "before": more}

    def run(self, run_id: str) -> Json:
        if run_id not in self.run_rows:
            raise ActionError("not_found", "No quest run of that id.")
        return self.run_rows[run_id]

    def workspace(self) -> Json:
        return {"status": "provisioned", "reason": None}

    def workspace_start(self) -> Json:
        return {"status": "starting", "reason": None}

    def workspace_stop(self) -> Json:
        return {"status": "stopped", "reason": "stopped by you"}

    def workspace_logs(self, after: int) -> list[Json]:
        return [{"seq": 1, "stream": "server", "text": "listening"}][after:]

    def create_session(self, title: str) -> Json:
        session_id = f"ses_{self.actor_id}_{len(self.session_ids)}"
        self.session_ids.add(session_id)
        return {"id": session_id, "title": title}

    def _known(self, session_id: str) -> None:
        if session_id not in self.session_ids:
            raise ActionError("not_found", "No session of that id.")

    def session_message(self, message: Json) -> Json:
        self._known(message["session_id"])
        self.emit("task.created", {"text": message["text"]})
        return {"session_id": message["session_id"], "message_id": message["message_id"]}

    def session_events(self, session_id: str, after: int) -> list[Json]:
        self._known(session_id)
        return self.log[after:]


class FakeClient:
    """Hands out agents by id, as `pyrivet.Client` does; `down` makes all calls fail."""

    def __init__(self) -> None:
        self.agents: dict[str, FakeAgent] = {}
        self.down = False
        self.subscriptions = 0

    @property
    def client(self) -> Client:
        return cast("Client", self)

    def get_or_create(self, name: str, key: Sequence[str]) -> "FakeHandle":
        return FakeHandle(self, self.agents.setdefault(key[0], FakeAgent(name, key[0])))


class FakeHandle:
    def __init__(self, client: FakeClient, agent: FakeAgent) -> None:
        self._client = client
        self._agent = agent

    async def call(self, action: str, *args: Any, timeout: timedelta, retry: bool) -> Any:
        await asyncio.sleep(0)
        if self._client.down:
            raise Unreachable("no engine")
        self._agent.calls.append(action)
        return getattr(self._agent, action)(*args)

    async def destroy(self) -> None:
        if self._client.down:
            raise Unreachable("down")
        self._client.agents.pop(self._agent.actor_id, None)

    @asynccontextmanager
    async def subscribe(self, event: str) -> AsyncIterator[AsyncIterator[list[Any]]]:
        if self._client.down:
            raise Unreachable("no engine")
        queue: asyncio.Queue[Json | Exception] = asyncio.Queue()
        self._agent.followers.append(queue)
        self._client.subscriptions += 1
        try:
            yield _Subscription(queue)
        finally:
            self._agent.followers.remove(queue)
            self._client.subscriptions -= 1


class _Subscription(AsyncIterator[list[Any]]):
    """Goes on after EventsLost, as the real one does."""

    def __init__(self, queue: "asyncio.Queue[Json | Exception]") -> None:
        self._queue = queue

    async def __anext__(self) -> list[Any]:
        news = await self._queue.get()
        if isinstance(news, Exception):
            raise news
        return [news]


LOST = EventsLost("gap")
