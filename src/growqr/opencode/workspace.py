"""A workspace: the folder and the OpenCode server of one actor."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from growqr.opencode import files as workspace_files
from growqr.opencode.client import OpenCodeClient
from growqr.opencode.lifecycle import Lifecycle
from growqr.opencode.line import Line
from growqr.opencode.logs import WorkspaceLog, log_file
from growqr.opencode.places import Place, Places
from growqr.opencode.prompting import Conversation
from growqr.opencode.rules import Rules
from growqr.opencode.sandbox import Gateway, Sandbox
from growqr.opencode.server import Server
from growqr.opencode.turn import OpenQuestion
from growqr.opencode.types import (
    Asked,
    LogLine,
    Progress,
    QuestionGone,
    Retrying,
    SessionBusy,
    SessionProgress,
    Snapshot,
    WorkspaceEvent,
    WorkspaceFailed,
    WorkspaceFile,
    WorkspaceSpec,
    WorkspaceStatus,
)
from growqr.opencode.watching import Watchers
from growqr.settings import Settings

_AT_WORK = "works on a prompt"


class Workspace:
    """Get one from `Workspaces`. Its files and sessions stay when the server stops."""

    def __init__(
        self,
        spec: WorkspaceSpec,
        place: Place,
        *,
        settings: Settings,
        places: Places,
        sandbox: Sandbox,
        gateway: Gateway,
        line: Line,
    ) -> None:
        self._place = place
        self._gateway = gateway
        self._limits = workspace_files.FileLimits(
            settings.git.max_file_bytes, settings.git.max_files_per_commit
        )
        self._sandbox_settings = settings.sandbox
        self._log = WorkspaceLog(log_file(settings.data_dir, spec.id))
        self._watchers = Watchers()
        self._life = Lifecycle(
            spec,
            place,
            settings=settings,
            places=places,
            sandbox=sandbox,
            gateway=gateway,
            line=line,
            log=self._log,
            watchers=self._watchers,
        )
        self._prompts: dict[str, Conversation | None] = {}
        self._aborted: set[str] = set()

    @property
    def spec(self) -> WorkspaceSpec:
        return self._life.spec

    @property
    def status(self) -> WorkspaceStatus:
        return self._life.status

    @property
    def path(self) -> Path:
        """The folder with the files on this host.

        Never open anything below it by path: what runs inside can put a link there at any
        time. Use `files` and `write_files`.
        """
        return self._place.files

    @property
    def server_pid(self) -> int | None:
        """Host process of the sandbox, while one runs."""
        return self._server.pid if self._server else None

    @property
    def _server(self) -> Server | None:
        return self._life.server

    async def start(self) -> None:
        """Wait for a place in line, then until OpenCode answers; safe to repeat and to race.

        Raises:
            WorkspaceFailed: it did not start; starting again may work.
            SandboxUnavailable: this host can't run it; the detail says what to do.
        """
        await self._life.running()

    async def stop(self, reason: str | None = None) -> None:
        """Stop the server, or the start under way; turns end as failed. Safe to repeat."""
        await self._life.stop(reason)

    async def aclose(self) -> None:
        """Stop for good and end every task of this workspace."""
        await self._life.aclose()
        self._log.close()

    async def adopt(self, rules: Rules) -> None:
        """Let these rules hold from now on; a server under other ones is stopped."""
        if rules != self.spec.rules:
            self._life.spec = replace(self.spec, rules=rules)
            await self.stop("what its agent may do has changed")

    async def create_session(self, title: str) -> str:
        """Return the id of a new session; starts the server when it is not running."""
        async with self._life.used() as server:
            return await server.client.create_session(title)

    async def prompt(self, session_id: str, text: str) -> AsyncGenerator[Progress, None]:
        """Ask and yield what happens; the last item is Finished or TurnFailed.

        Starts the server when it is not running. Leaving the loop early aborts the turn.

        Raises:
            SessionBusy: this session works on another prompt.
            SessionMissing: there is no such session (any more): create one.
            WorkspaceFailed, SandboxUnavailable: the prompt could not be sent.
        """
        if session_id in self._prompts:
            raise SessionBusy("This session works on another prompt.")
        self._prompts[session_id] = None
        try:
            async with self._life.used() as server:
                self._life.set("busy", _AT_WORK)
                conversation = Conversation(server, session_id, self._sandbox_settings)
                self._prompts[session_id] = conversation
                if session_id in self._aborted:
                    await conversation.abort()
                async with aclosing(conversation.run(text)) as turn:
                    async for progress in turn:
                        self._watchers.tell(SessionProgress(session_id, progress))
                        if self._server is server:
                            self._note(progress)
                        yield progress
        finally:
            del self._prompts[session_id]
            self._aborted.discard(session_id)
            if not self._prompts and self.status.state == "busy" and self._server is not None:
                self._life.set("idle")

    def _note(self, progress: Progress) -> None:
        """Say what a prompt at work waits for, if for anything."""
        if isinstance(progress, Asked):
            self._life.set("busy", f"waits for an answer: {_first_line(progress.question)}")
            if len(self._prompts) == 1:
                self._life.lend()
        elif isinstance(progress, Retrying):
            self._life.set("busy", f"waits for the model: {progress.reason}")
        else:
            self._life.set("busy", _AT_WORK)

    def begin_task(self, used: int = 0) -> None:
        """Begin a task's budget of tokens; `used` counts what it used before a restart."""
        self._gateway.begin_task(self.spec.id, self.spec.user_id, used)

    @property
    def task_tokens(self) -> int:
        """What this task used of the model, in and out, as the gateway counted outside."""
        return self._gateway.task_tokens(self.spec.id)

    async def answer(self, session_id: str, question_id: str, text: str) -> None:
        """Answer a question that `Asked` asked; the same text for each of its parts.

        Raises:
            QuestionGone: it is not open (any more).
            WorkspaceFailed: its server is gone; prompt again.
        """
        client, question = self._take_question(session_id, question_id, "question")
        await client.answer(question_id, text, question.parts)

    async def decide(self, session_id: str, question_id: str, *, allow: bool, why: str) -> None:
        """Allow or deny once what `Asked` wants permission for; `why` is told to the model.

        Raises like `answer`.
        """
        client, _ = self._take_question(session_id, question_id, "permission")
        await client.decide(question_id, allow=allow, why=why)

    def _take_question(
        self, session_id: str, question_id: str, kind: str
    ) -> tuple[OpenCodeClient, OpenQuestion]:
        conversation = self._prompts.get(session_id)
        if conversation is None or self._server is None:
            raise WorkspaceFailed("The server stopped while it waited for an answer.")
        question = conversation.turn.questions.get(question_id)
        if question is None or question.kind != kind:
            raise QuestionGone("The session does not wait for this answer.")
        del conversation.turn.questions[question_id]
        self._life.claim()
        self._life.set("busy", _AT_WORK)
        return self._server.client, question

    async def abort(self, session_id: str) -> None:
        """Stop the session's turn, if one runs; its prompt ends with TurnFailed(aborted)."""
        if session_id in self._prompts:
            conversation = self._prompts[session_id]
            if conversation is None:
                self._aborted.add(session_id)  # it waits for the server to start
            else:
                await conversation.abort()

    async def files(self) -> list[WorkspaceFile]:
        """Return the regular files, sorted by path; no link is followed, no cache included.

        Raises:
            TooManyFiles: more than one commit takes.
        """
        return (await self.snapshot()).files

    async def snapshot(self) -> Snapshot:
        """Like `files`, and tells what was left out and why."""
        return await asyncio.to_thread(workspace_files.read_files, self._place.files, self._limits)

    async def write_files(self, files: Sequence[WorkspaceFile]) -> None:
        """Write files, each in one step; others stay as they are.

        Raises:
            UnsafePath: a path leaves the workspace or crosses a link.
            TooManyFiles: too many, or one too large.
        """
        await asyncio.to_thread(
            workspace_files.write_files,
            self._place.files,
            files,
            self._limits,
            owner=self._place.uid,
        )

    async def delete_files(self, paths: Sequence[str]) -> None:
        """Delete files; what is absent or behind a link is left alone.

        Raises:
            UnsafePath: a path leaves the workspace.
        """
        await asyncio.to_thread(workspace_files.delete_files, self._place.files, paths)

    def logs(self, after: int = 0) -> list[LogLine]:
        """Return the kept log lines with a greater `seq`; at most 2,000 are kept."""
        return self._log.after(after)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[WorkspaceEvent]]:
        """Follow status and sessions from now on; a slow follower gets `Missed`."""
        with self._watchers.watching() as events:
            yield events


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:200]
