"""Records of finished tasks in the user's repository: `tasks/<id>.md`."""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from growqr.agents import projection
from growqr.agents.eventlog import Change as LogChange
from growqr.agents.outbox import FIRST_PAUSE, LONGEST_PAUSE
from growqr.agents.task_files import record_text
from growqr.errors import GrowError
from growqr.events import Task
from growqr.git.forge import Change

if TYPE_CHECKING:
    from growqr.agents.grow import GrowAgent

SCHEMA = "CREATE TABLE IF NOT EXISTS records (task_id TEXT PRIMARY KEY);"

log = structlog.get_logger(__name__)


class Records:
    """Commits each finished task once, in the background; what waits survives a crash."""

    def __init__(self, grow: "GrowAgent") -> None:
        self._grow = grow
        self._writing = False
        self._more = False

    def put(self, change: LogChange, task: Task) -> None:
        """Add to `change`: this finished task is to be recorded."""
        change.execute("INSERT OR IGNORE INTO records (task_id) VALUES (?)", task.id)
        change.then(self.wake)

    def wake(self) -> None:
        """Write what waits."""
        self._more = True
        if not self._writing:
            self._writing = True
            self._grow.spawn(self._write(), name="task records")

    async def _write(self) -> None:
        pause = FIRST_PAUSE
        try:
            while rows := await self._waiting():
                try:
                    for row in rows:
                        await self._record(row["task_id"])
                    pause = FIRST_PAUSE
                except GrowError as error:
                    log.warning("record.failed", actor_id=self._grow.spec.actor_id, code=error.code)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            self._writing = False

    async def _waiting(self) -> list[dict[str, Any]]:
        self._more = False
        rows = await self._grow.db.query("SELECT task_id FROM records LIMIT 50")
        if not rows and self._more:  # one came while we looked
            return await self._waiting()
        return rows

    async def _record(self, task_id: str) -> None:
        task = await projection.find(self._grow, task_id)
        if task is None:
            await self._forget(task_id)
            return
        spec = self._grow.spec
        path = f"tasks/{task.id}.md"
        file, reach = await self._grow.snapshots.change()
        commit = await self._grow.services.commits.commit(
            spec.repo,
            actor=self._grow.author,
            kind="task",
            scope=task.agent,
            what=f"{task.status}: {task.title}",
            changes=[Change(path, record_text(task).encode(errors="replace")), file],
            operation=f"record:{task.id}",
            task_id=task.id,
            message_id=task.message_id,
        )
        async with self._grow.event_log.change() as change:
            change.execute("DELETE FROM records WHERE task_id = ?", task_id)
            data = {"sha": commit.sha, "paths": [path], "subject": commit.subject}
            change.emit("memory.committed", data, task_id=task.id)
        await self._grow.snapshots.written(reach)

    async def _forget(self, task_id: str) -> None:
        await self._grow.db.execute("DELETE FROM records WHERE task_id = ?", task_id)
