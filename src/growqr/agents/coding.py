"""The coding agent: OpenCode in its sandbox, and what it leaves in Git."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from pydantic import BaseModel, Field
from pyrivet import ActionError, action

from growqr.agents import coding_files, journal, messages, tasks
from growqr.agents.coding_turn import CodingTurn
from growqr.agents.eventlog import Change
from growqr.agents.job import TaskJob
from growqr.agents.services import AgentServices
from growqr.agents.subagent import MAX_UNFINISHED, SubAgent
from growqr.errors import GrowError
from growqr.events import Event, TaskResult, now
from growqr.git.forge import BlobNotFound
from growqr.ids import derived_id
from growqr.opencode.rules import rules_of
from growqr.opencode.types import StatusChanged, WorkspaceFile, WorkspaceSpec, WorkspaceStatus
from growqr.opencode.workspace import Workspace

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS session_tasks (
    session_id TEXT NOT NULL,
    task_id TEXT PRIMARY KEY
);
"""

MAX_UNUSED_SESSIONS = 50
"""Sessions that may be made before anything is said in one of them."""
MAX_SESSIONS_LISTED = 100
_WORKSPACE = "workspace"
_KNOWN = "known"
_STATUS = "workspace.status"
_STATE = "state"
_UP = ("starting", "ready", "busy", "idle")

log = structlog.get_logger(__name__)


class SessionMessage(BaseModel):
    """A prompt for one session; the same `message_id` is one prompt."""

    session_id: str = Field(max_length=128)
    text: str
    message_id: str = Field(max_length=64)


class CodingAgent(SubAgent):
    """Does coding tasks one after the other in its one workspace."""

    schema = SubAgent.schema + SCHEMA
    # While a task waits for an answer its files are half done: the next one must not work, or
    # commit, among them.
    waits_in_place = True

    def __init__(self, services: AgentServices) -> None:
        super().__init__(services)
        self._following: asyncio.Task[Any] | None = None
        self._noted: str | None = None
        """The workspace's state as the newest event tells it."""

    async def begin(self) -> None:
        self._noted = (await journal.entries(self, _STATUS)).get(_STATE)
        if self._noted in _UP:
            with suppress(ActionError, GrowError):  # then whoever needs it is told why
                workspace = await self._workspace()
                if workspace.status.state in _UP:  # it runs since an earlier life of ours
                    await self._used_workspace()
                else:
                    await self._catch_up(workspace)
        await super().begin()

    async def run_task(self, job: TaskJob) -> TaskResult:
        return await CodingTurn(self, job, await self._used_workspace()).run()

    async def running_changed(self) -> None:
        await super().running_changed()
        if not self.running:
            await (await self._workspace()).stop("the agent was stopped")

    async def on_destroy(self) -> None:
        if self.gone:
            return
        spec = self.spec
        if spec.workspace_id is not None:
            await self.services.workspaces.remove(
                WorkspaceSpec(spec.workspace_id, spec.user_id, spec.actor_id)
            )

    # Actions

    @action(concurrent=True)
    async def workspace(self) -> dict[str, Any]:
        """Return the workspace's state and its sessions, newest first; starts nothing."""
        rows = await self.db.query(
            "SELECT * FROM sessions ORDER BY created_at DESC LIMIT ?", MAX_SESSIONS_LISTED
        )
        workspace = await self._workspace()
        return {
            **self._shown(workspace.status),
            "actor_id": self.spec.actor_id,
            "sessions": [dict(row) for row in rows],
        }

    @action
    async def workspace_start(self) -> dict[str, Any]:
        """Start the server in the background; its `workspace.status` events tell the rest."""
        self._check_running()
        workspace = await self._used_workspace()
        self.start_early(workspace)
        return await self.workspace()

    @action
    async def workspace_stop(self) -> dict[str, Any]:
        """Stop the server; refused while a task is at work in it."""
        if self.task_runs.begun:
            raise ActionError("conflict", "A task is at work. Pause or cancel it first.")
        await (await self._workspace()).stop("stopped by you")
        return await self.workspace()

    @action(concurrent=True)
    async def workspace_logs(self, after: int = 0) -> list[dict[str, Any]]:
        """Return kept log lines with a greater `seq`, oldest first."""
        lines = (await self._workspace()).logs(after)[: self.page_size(2**31)]
        return [
            {"seq": line.seq, "at": line.at.isoformat(), "stream": line.stream, "text": line.text}
            for line in lines
        ]

    @action(concurrent=True)
    async def create_session(self, title: str) -> dict[str, Any]:
        """Make a session, which may take as long as the server's start."""
        self._check_running()
        [row] = await self.db.query(
            "SELECT count(*) AS unused FROM sessions"
            " WHERE id NOT IN (SELECT session_id FROM session_tasks)"
        )
        if row["unused"] >= MAX_UNUSED_SESSIONS:
            raise ActionError("too_many", f"{MAX_UNUSED_SESSIONS} sessions wait for a message.")
        workspace = await self._used_workspace()
        title = tasks.title_of(title)
        try:
            session_id = await workspace.create_session(title)
        except GrowError as error:
            raise ActionError("unavailable", error.detail) from error
        created_at = await self.keep_session(session_id, title, None)
        return {"id": session_id, "title": title, "created_at": created_at}

    @action
    async def session_message(self, message: SessionMessage) -> dict[str, Any]:
        """Prompt a session: a task of this agent, which answers the message when it is done."""
        self._check_running()
        task_id = derived_id("tsk", message.message_id)
        answer = {
            "session_id": message.session_id,
            "message_id": message.message_id,
            "task_id": task_id,
        }
        if await self._find(task_id) is not None:
            return answer
        if not await self._knows_session(message.session_id):
            raise ActionError("not_found", "No session of that id.")
        if len(self.tasks) >= MAX_UNFINISHED:
            raise ActionError("too_many", f"{MAX_UNFINISHED} tasks are waiting already.")
        self._check(message.text.strip())
        async with self.event_log.change() as change:
            stored = messages.store(
                change,
                message_id=message.message_id,
                role="user",
                author=self.spec.user_name,
                text=messages.printable(message.text).strip(),
                metadata={"session_id": message.session_id, "task_id": task_id},
            )
            self.add_task(change, self.task_of(stored, id=task_id, session_id=message.session_id))
            change.execute("INSERT INTO session_tasks VALUES (?, ?)", message.session_id, task_id)
        return answer

    @action(concurrent=True)
    async def session_events(self, session_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Return this agent's stored events about one session's tasks, oldest first."""
        if not await self._knows_session(session_id):
            raise ActionError("not_found", "No session of that id.")
        rows = await self.db.query(
            "SELECT json FROM events WHERE seq > ? AND json_extract(json, '$.task_id') IN"
            " (SELECT task_id FROM session_tasks WHERE session_id = ?) ORDER BY seq LIMIT ?",
            after,
            session_id,
            self.page_size(2**31),
        )
        return [Event.model_validate_json(row["json"]).model_dump(mode="json") for row in rows]

    # What a turn uses

    def start_early(self, workspace: Workspace) -> asyncio.Task[Any]:
        """Start the server in the background; who needs it later gets the same start."""
        return self.spawn(_start(workspace), name="start workspace")

    async def bring_in(self, workspace: Workspace, *, afresh: bool) -> str | None:
        """Bring what others changed below `agents/coding/` into the workspace.

        In the middle of a task (not `afresh`) only an empty workspace is filled, because the
        files of a full one are being worked on. Returns the commit that the workspace is in
        step with now; None: nothing was brought in.
        """
        here = coding_files.ids_of(await workspace.files())
        if here and not afresh:
            return None
        head = await self.services.forge.head(self.spec.repo)
        there = await self._ids_at(head) if head else {}
        known = await self.known_files()
        needed = coding_files.incoming(known=known, there=there, here=here)
        files = [await self._file_at(path, head or "main") for path in needed.write]
        if files:
            await workspace.write_files(files)
        if needed.delete:
            await workspace.delete_files(needed.delete)
        if there != known:
            async with self.event_log.change() as change:
                self.keep_known(change, there)
        return head

    async def known_files(self) -> dict[str, str]:
        """Return the state on which workspace and repository last agreed."""
        known = (await journal.entries(self, _WORKSPACE)).get(_KNOWN)
        return dict(known or {})

    def keep_known(self, change: Change, known: Mapping[str, str]) -> None:
        """Add the new agreed state to `change`."""
        journal.put(change, _WORKSPACE, _KNOWN, dict(known))

    async def keep_session(self, session_id: str, title: str, task_id: str | None) -> str:
        """Record a session and the task that works in it; returns when it was made."""
        created_at = now().isoformat()
        async with self.event_log.change() as change:
            change.execute(
                "INSERT OR IGNORE INTO sessions VALUES (?, ?, ?)", session_id, title, created_at
            )
            if task_id is not None:
                change.execute(
                    "INSERT OR REPLACE INTO session_tasks VALUES (?, ?)", session_id, task_id
                )
        return created_at

    # The workspace

    async def _workspace(self) -> Workspace:
        spec = self.spec
        if spec.workspace_id is None:
            raise ActionError("unavailable", "This agent has no workspace.")
        rules = rules_of(spec.capabilities, self.services.settings.sandbox)
        if rules is None:
            raise ActionError("forbidden", "This agent may not use OpenCode.")
        return await self.services.workspaces.get(
            WorkspaceSpec(spec.workspace_id, spec.user_id, spec.actor_id, rules)
        )

    async def _used_workspace(self) -> Workspace:
        """Return the workspace, with its states followed into the event log."""
        workspace = await self._workspace()
        if self._following is None or self._following.done():
            self._following = self.spawn(self._follow(workspace), name="follow workspace")
        return workspace

    async def _catch_up(self, workspace: Workspace) -> None:
        """Record the state if the newest event is of another: nobody noted a dead worker's end."""
        if workspace.status.state != self._noted:
            await self._note(workspace.status)

    async def _follow(self, workspace: Workspace) -> None:
        """Record each state until the server is down again; keeps this actor awake meanwhile."""
        async with workspace.watch() as events:
            await self._catch_up(workspace)
            async for event in events:
                if isinstance(event, StatusChanged):
                    await self._note(event.status)
                    if event.status.state in ("stopped", "failed"):
                        return

    async def _note(self, status: WorkspaceStatus) -> None:
        self._noted = status.state
        async with self.event_log.change() as change:
            change.emit("workspace.status", self._shown(status))
            journal.put(change, _STATUS, _STATE, status.state)

    def _shown(self, status: WorkspaceStatus) -> dict[str, Any]:
        return {
            "id": self.spec.workspace_id,
            "workspace_id": self.spec.workspace_id,
            "status": status.state,
            "reason": status.reason,
        }

    async def _ids_at(self, head: str) -> dict[str, str]:
        try:
            entries = await self.services.forge.tree(
                self.spec.repo, ref=head, path=coding_files.FOLDER, recursive=True
            )
        except BlobNotFound:
            return {}
        most = self.services.settings.git.max_file_bytes
        return coding_files.ids_in_tree(entries, max_bytes=most)

    async def _file_at(self, path: str, ref: str) -> WorkspaceFile:
        full = f"{coding_files.FOLDER}/{path}"
        return WorkspaceFile(path, await self.services.forge.blob(self.spec.repo, full, ref=ref))

    async def _knows_session(self, session_id: str) -> bool:
        return bool(await self.db.query("SELECT 1 FROM sessions WHERE id = ?", session_id))

    def _check_running(self) -> None:
        if not self.running:
            raise ActionError("agent_stopped", "This agent is stopped. Start it first.")


async def _start(workspace: Workspace) -> None:
    """Start early; who needs the server later gets the same start, and its error."""
    try:
        await workspace.start()
    except GrowError as error:
        log.info("workspace.start_failed", workspace_id=workspace.spec.id, reason=error.detail)
