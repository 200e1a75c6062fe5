"""One coding task: files in, a prompt, what happens meanwhile, files out as one commit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from growqr.agents import coding_files, journal
from growqr.agents.coding_files import Outgoing
from growqr.agents.coding_questions import AnswerLate, ModelQuestions
from growqr.agents.conflicts import settle
from growqr.agents.job import TaskFailed, TaskJob
from growqr.agents.receipts import (
    MAX_COMMANDS,
    ending_of,
    failed_commands,
    on_the_wire,
    status_of,
    text_of,
)
from growqr.errors import GrowError
from growqr.events import CommandRun, Receipt, TaskResult
from growqr.git.forge import Author, BranchExists, Change, CommitInfo, MergeConflict
from growqr.opencode.types import (
    Asked,
    Finished,
    Progress,
    Retrying,
    Said,
    SessionMissing,
    Snapshot,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    WorkspaceFailed,
)
from growqr.opencode.workspace import Workspace

if TYPE_CHECKING:
    from growqr.agents.coding import CodingAgent

STANDING = (
    "You work in your workspace folder, which has no network. Leave there the files that should "
    "be kept: the platform commits them when you are done. Run what you write before you say "
    "that it works."
)
CONTINUE = (
    "Your work on this task was interrupted. Look at what is in the workspace, then continue "
    "where you stopped. This is the task:"
)
_WRITING = frozenset({"write", "edit", "apply_patch"})
MAX_INTERRUPTIONS = 6
"""Times that one task is continued after crashes and pauses."""
MAX_FAILURES = 2
"""Times that a turn may end badly, for a reason that may pass, before the task fails."""


class CodingTurn:
    """One run of a coding task.

    The journal holds `base` (the commit it began with), `session`, `prompts` (how often it was
    prompted), `commands`, `tokens`, `asked` (a question whose answer the model has not got yet),
    `claim` (set once the model is done), `kept` (what conflicts with the user's own changes) and
    `result`; each is the point from which a crash goes on.
    """

    def __init__(self, agent: CodingAgent, job: TaskJob, workspace: Workspace) -> None:
        self._agent = agent
        self._job = job
        self._workspace = workspace
        self._questions = ModelQuestions(job, workspace)
        self._commands = [CommandRun.model_validate(run) for run in job.saved("commands") or ()]
        self._tools = 0

    async def run(self) -> TaskResult:
        """Do what is not done yet; raises TaskFailed and GrowError when it can't be done."""
        saved = self._job.saved("result")
        if saved is None:
            result = await self._work_and_deliver()
        else:
            result = TaskResult.model_validate(saved)
        await self._tell_forge(result)
        return result

    async def _work_and_deliver(self) -> TaskResult:
        if self._job.saved("claim") is None:
            await self._questions.settle()
            starting = self._agent.start_early(self._workspace)
            try:
                self._workspace.begin_task(int(self._job.saved("tokens") or 0))
                afresh = not self._job.saved("prompts")
                if base := await self._agent.bring_in(self._workspace, afresh=afresh):
                    await self._job.save("base", base)
                claim = await self._work()
            finally:
                starting.cancel()
            await self._job.save("tokens", self._workspace.task_tokens)
            await self._job.save("claim", claim)
        return await self._deliver(str(self._job.saved("claim")))

    async def _work(self) -> str:
        """Prompt until the model is done; returns its last words."""
        failures = 0
        while True:
            try:
                return await self._prompt()
            except SessionMissing:
                # The workspace was rebuilt, and its sessions went with the old one.
                await self._job.save("session", None)
                reason = "The coding session was lost."
            except AnswerLate:
                continue  # the next prompt brings the answer
            except (_TurnBroke, WorkspaceFailed) as error:
                reason = error.detail
            failures += 1
            if failures >= MAX_FAILURES:
                raise TaskFailed(f"{reason} What was written so far is kept in the workspace.")
            await self._job.log("system", f"{reason} Trying once more.")

    async def _prompt(self) -> str:
        """Prompt once; raises _TurnBroke when trying again may help, TaskFailed when not."""
        session_id = await self._session()
        prompts = int(self._job.saved("prompts") or 0)
        if prompts > MAX_INTERRUPTIONS:
            raise TaskFailed("The work was interrupted too often. Please send it again.")
        await self._job.save("prompts", prompts + 1)
        parts = [self._job.task.prompt, STANDING]
        if prompts:
            parts.insert(0, CONTINUE)
        if answered := await self._questions.words():
            parts.append(answered)
        # Leaving this block early, for a pause or a cancellation, aborts the turn inside.
        async with aclosing(self._workspace.prompt(session_id, "\n\n".join(parts))) as turn:
            async for progress in turn:
                if isinstance(progress, Finished):
                    return progress.text
                if isinstance(progress, TurnFailed):
                    if progress.retryable:
                        raise _TurnBroke(progress.reason)
                    raise TaskFailed(
                        f"{progress.reason} What was written so far is kept in the workspace."
                    )
                await self._report(session_id, progress)
        raise _TurnBroke("The coding session ended without a result.")

    async def _session(self) -> str:
        given = (self._job.task.model_extra or {}).get("session_id")
        session_id = given or self._job.saved("session")
        if session_id is None:
            title = self._job.task.title
            session_id = await self._workspace.create_session(title)
            await self._agent.keep_session(session_id, title, self._job.task_id)
            await self._job.save("session", session_id)
        return str(session_id)

    async def _report(self, session_id: str, progress: Progress) -> None:
        job = self._job
        if isinstance(progress, Said):
            await job.log("agent", progress.text)
        elif isinstance(progress, ToolStarted):
            self._tools += 1
            shown = f"$ {progress.title}" if progress.tool == "bash" else _words(progress)
            await job.log("tool", shown)
            # Nobody knows how many steps there will be: each brings it a bit nearer to the end.
            await job.progress(0.9 - 0.8 * 0.85**self._tools, shown, tool=progress.tool)
        elif isinstance(progress, ToolFinished):
            await self._tool_finished(progress)
        elif isinstance(progress, Retrying):
            await job.log("system", f"The model did not answer ({progress.reason}); trying again.")
        elif isinstance(progress, Asked):
            await self._questions.ask(session_id, progress)

    async def _tool_finished(self, tool: ToolFinished) -> None:
        if tool.tool != "bash":
            if tool.failed:
                await self._job.log("error", tool.output)
            elif tool.tool in _WRITING:
                for path in tool.paths:
                    await self._job.log("file", f"{tool.tool} {path}", path=path)
            return
        if tool.output.strip():
            await self._job.log("output", tool.output)
        run = CommandRun(
            command=tool.title[:500],
            exit_code=tool.exit_code,
            denied=tool.denied,
            output=tool.output[-4_000:],
        )
        await self._job.log("tool", f"{tool.title}: {ending_of(run)}")
        self._commands = [*self._commands, run][-MAX_COMMANDS:]
        await self._job.save("commands", [run.model_dump() for run in self._commands])
        await self._job.save("tokens", self._workspace.task_tokens)

    async def _deliver(self, claim: str) -> TaskResult:
        """Commit what the work left, record it, and return the result with the receipt."""
        snapshot = await self._workspace.snapshot()
        outgoing = coding_files.outgoing(
            snapshot.files, known=await self._agent.known_files(), unread=snapshot.skipped
        )
        commit, branch = None, f"task/{self._job.task_id}"
        if outgoing.changes:
            try:
                commit = await self._commit(outgoing.changes, branch)
            except BranchExists as blocked:  # the work is on `main` by then
                await self._job.log("system", f"The commit got no branch: {blocked.detail}.")
                commit, branch = await self._commit(outgoing.changes, None), "main"
        return await self._record(snapshot, outgoing, commit, branch, claim)

    async def _commit(self, changes: Sequence[Change], branch: str | None) -> CommitInfo | None:
        """Commit the changes, or what the user decides where they changed the same lines; None:
        the repository had it all already.
        """
        spec, services = self._agent.spec, self._agent.services
        author = Author(spec.actor_id, spec.name, spec.capabilities)
        operation = f"task:{self._job.task_id}"
        kept = self._job.saved("kept")
        if kept is None:
            try:
                commit = await services.commits.commit(
                    spec.repo,
                    actor=author,
                    kind="task",
                    scope="coding",
                    what=self._job.task.title,
                    changes=changes,
                    operation=operation,
                    task_id=self._job.task_id,
                    message_id=self._job.task.message_id,
                    also_branch=branch,
                    base=self._job.saved("base"),
                )
                return commit if commit.trailers.get("Operation") == operation else None
            except MergeConflict as conflict:
                kept = conflict.kept
                await self._job.save("kept", kept)
        commit = await settle(self._job, str(kept), author)
        if branch is not None:
            await services.forge.create_branch(spec.repo, branch, at=commit.sha)
        return commit

    async def _record(
        self,
        snapshot: Snapshot,
        outgoing: Outgoing,
        commit: CommitInfo | None,
        branch: str,
        claim: str,
    ) -> TaskResult:
        receipt = Receipt(
            failed_commands=failed_commands(self._commands),
            commands=self._commands,
            files=list(commit.paths) if commit else [],
            left_out={**snapshot.skipped, **outgoing.refused},
            commit=commit.sha if commit else None,
            branch=branch if commit else None,
            tokens=int(self._job.saved("tokens") or 0),
            claim=claim,
        )
        result = TaskResult(
            summary=text_of(receipt),
            repo_id=self._agent.spec.repo.id,
            branch=receipt.branch,
            commit=receipt.commit,
            receipt=on_the_wire(receipt),
        )
        task_id = self._job.task_id
        async with self._agent.event_log.change() as change:
            if commit is not None:
                change.emit(
                    "memory.committed",
                    {"sha": commit.sha, "paths": list(commit.paths), "branch": "main"},
                    task_id=task_id,
                )
            self._agent.keep_known(change, outgoing.known)
            journal.put(change, task_id, "result", result.model_dump(mode="json"))
        return result

    async def _tell_forge(self, result: TaskResult) -> None:
        """Say at the commit how its task went. It is tried once: a forge that does not answer
        costs the commit its mark, not the task its end, and the receipt is in Git anyway.
        """
        if result.commit is None or result.receipt is None:
            return
        page = f"{self._agent.services.settings.base_url}/app/tasks/{self._job.task_id}"
        try:
            await self._agent.services.forge.set_status(
                self._agent.spec.repo, result.commit, status_of(result.receipt, page)
            )
        except GrowError as error:
            await self._job.log("system", f"The commit got no status: {error.detail}")


class _TurnBroke(Exception):
    """The turn ended badly, for a reason that may pass."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _words(tool: ToolStarted) -> str:
    return f"{tool.tool} {tool.title}" if tool.title != tool.tool else tool.tool
