"""When the Grow Agent writes its snapshot: with task records, when all is quiet, before sleep."""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from pyrivet import RivetError
from sqlalchemy import select

from growqr.agents import projection, snapshot
from growqr.agents.eventlog import TASK_ID
from growqr.agents.snapshot import (
    SavedActor,
    SavedMessage,
    SavedRepo,
    SavedRun,
    SavedUser,
    Snapshot,
)
from growqr.db.tables import ActorRow, Repo
from growqr.errors import GrowError
from growqr.events import Event, Task
from growqr.git.forge import Change
from growqr.ids import new_id

if TYPE_CHECKING:
    from growqr.agents.grow import GrowAgent

_WRITTEN = "snapshot_seq"

log = structlog.get_logger(__name__)


class SnapshotWriter:
    """Keeps `state/snapshot.json` close behind the Grow Agent's log.

    A change waits until nothing has happened for `git.snapshot_seconds`, so that a
    conversation is one commit; a task's record takes the snapshot along in its own commit.
    """

    def __init__(self, grow: "GrowAgent") -> None:
        self._grow = grow
        self._written = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read how far the written snapshot reaches."""
        rows = await self._grow.db.query("SELECT value FROM meta WHERE key = ?", _WRITTEN)
        self._written = int(rows[0]["value"]) if rows else 0

    def wait(self) -> None:
        """Note that something happened; the snapshot follows when it is quiet."""
        self.stop()
        if self._grow.event_log.last_seq > self._written:
            seconds = self._grow.services.settings.git.snapshot_seconds
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._due)

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def change(self) -> tuple[Change, int]:
        """Return the file as of now, and the number of the event it reaches to."""
        reach = self._grow.event_log.last_seq
        taken = await take(self._grow)
        return Change(snapshot.PATH, taken.text().encode(errors="replace")), reach

    async def written(self, reach: int) -> None:
        """Note that a committed snapshot reaches to this event."""
        self._written = max(self._written, reach)
        await self._grow.db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", _WRITTEN, str(self._written)
        )

    async def write(self) -> None:
        """Commit the snapshot if something has happened since the last one.

        What goes wrong is logged and left to the next time: the log itself is not in danger.
        """
        async with self._lock:
            if self._grow.event_log.last_seq <= self._written:
                return
            spec = self._grow.spec
            try:
                file, reach = await self.change()
                await self._grow.services.commits.commit(
                    spec.repo,
                    actor=self._grow.author,
                    kind="snapshot",
                    scope="state",
                    what="messages, tasks and agents",
                    changes=[file],
                    operation=new_id("op"),
                )
                await self.written(reach)
            except (GrowError, RivetError) as error:
                log.warning("snapshot.failed", actor_id=spec.actor_id, error=type(error).__name__)

    def _due(self) -> None:
        self._timer = None
        self._grow.spawn(self.write(), name="snapshot")


async def take(grow: "GrowAgent") -> Snapshot:
    """Return the agent as it is now."""
    spec = grow.spec
    async with grow.services.db.session() as session:
        actors = (await session.scalars(select(ActorRow).filter_by(user_id=spec.user_id))).all()
        repos = (await session.scalars(select(Repo).filter_by(owner_id=spec.user_id))).all()
    names = {row.channel_id: row.name for row in actors}
    seen = {spec.actor_id, *await projection.sources(grow)}
    unfinished = await _tasks(
        grow, "status NOT IN ('completed', 'failed', 'cancelled')", snapshot.MAX_TASKS
    )
    newest = await _tasks(grow, "1", snapshot.MAX_TASKS)
    tasks = {task.id: task for task in [*newest, *unfinished]}
    return Snapshot(
        user=SavedUser(id=spec.user_id, name=spec.user_name),
        actors=[_actor(row, row.id in seen) for row in sorted(actors, key=lambda row: row.id)],
        repos=sorted((_repo(row) for row in repos), key=lambda repo: repo.id),
        tasks=snapshot.bounded_tasks(tasks.values()),
        runs=await _runs(grow, [task for task in unfinished if task.agent == "quest"]),
        messages=await _messages(grow, names),
    )


async def _tasks(grow: "GrowAgent", which: str, limit: int) -> list[Task]:
    rows = await grow.db.query(
        f"SELECT json FROM tasks WHERE {which} ORDER BY position DESC LIMIT ?",  # noqa: S608
        limit,
    )
    return [Task.model_validate_json(row["json"]) for row in rows]


async def _messages(grow: "GrowAgent", names: dict[str, str]) -> list[SavedMessage]:
    rows = await grow.db.query(
        "SELECT json FROM events WHERE json_extract(json, '$.type')"
        " IN ('message.created', 'message.completed') ORDER BY seq DESC LIMIT ?",
        snapshot.MAX_MESSAGES,
    )
    events = [Event.model_validate_json(row["json"]) for row in reversed(rows)]
    return snapshot.bounded(
        [_message(event, names[event.channel_id]) for event in events if event.channel_id in names]
    )


async def _runs(grow: "GrowAgent", tasks: list[Task]) -> list[SavedRun]:
    found = []
    for task in tasks:
        rows = await grow.db.query(
            f"SELECT json_extract(json, '$.data') AS data FROM events WHERE {TASK_ID} = ?"  # noqa: S608
            " AND json_extract(json, '$.type') = 'quest.started' LIMIT 1",
            task.id,
        )
        found += [SavedRun.model_validate_json(row["data"]) for row in rows]
    return found


def _message(event: Event, agent: str) -> SavedMessage:
    fields: dict[str, Any] = {**event.data, "id": event.data["message_id"]}
    fields.pop("message_id")
    return SavedMessage(**fields, seq=event.seq or 0, at=event.at, agent=agent)


def _actor(row: ActorRow, seen: bool) -> SavedActor:
    return SavedActor.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "channel_id": row.channel_id,
            "workspace_id": row.workspace_id,
            "status": row.status,
            "seen": seen,
        }
    )


def _repo(row: Repo) -> SavedRepo:
    return SavedRepo.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "kind": row.kind,
            "description": row.description,
            "default_branch": row.default_branch,
            "created_at": row.created_at,
        }
    )
