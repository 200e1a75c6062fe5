"""The commit service: the only way agents and the API write to a repository.

It checks who may write what, bounds the size, and writes one form of message
(`growqr.git.messages`).
"""

from collections.abc import Sequence

from growqr.git.capabilities import SETTLE, WRITE_ANYTHING, PathForbidden, check_may_write
from growqr.git.forge import (
    Author,
    Change,
    CommitInfo,
    CommitRequest,
    CommitTooLarge,
    Forge,
    RepoRef,
    Settlement,
)
from growqr.git.messages import commit_message, value_of
from growqr.git.objects import MAX_COMMIT_PATHS
from growqr.git.paths import check_path
from growqr.settings import GitSettings


class CommitService:
    """Commits, reverts and merges with checks and trailers.

    Every call takes `operation`, an id of the write that caused it: repeating a call with the
    same operation returns the first call's commit.
    """

    def __init__(self, forge: Forge, settings: GitSettings) -> None:
        self._forge = forge
        self._settings = settings

    async def commit(
        self,
        repo: RepoRef,
        *,
        actor: Author,
        kind: str,
        scope: str,
        what: str,
        changes: Sequence[Change],
        operation: str,
        body: str = "",
        task_id: str | None = None,
        message_id: str | None = None,
        branch: str = "main",
        expected_head: str | None = None,
        also_branch: str | None = None,
        base: str | None = None,
        own: Sequence[Change] = (),
    ) -> CommitInfo:
        """Write `changes` as one commit on top of `branch`; no change returns its head.

        `what` is the subject's text: line breaks are removed, and it is cut to fit; `body` is
        free text below it, cut at 4,000 characters. `expected_head` refuses if the branch is
        elsewhere; `also_branch` is a branch to make (or fast-forward) to the same commit.
        `base` is the commit whose files the writer had read: what others, such as the user with
        a push, wrote since is merged with `changes` and not overwritten. A writer that goes on
        without reading again gives the same `base` and as `own` what it has written since.

        Raises:
            PathInvalid, PathForbidden, CommitTooLarge, MessageInvalid: nothing was written.
            BranchNotFound, HeadMoved, BranchExists: as `Forge.commit`.
            MergeConflict: others changed the same lines since `base`; `kept` is a commit that
                holds `changes` for the user to decide about.
        """
        self._check_size(changes)
        paths = [check_path(change.path) for change in changes]
        check_may_write(actor.id, actor.capabilities, paths)
        key = value_of("operation", operation)
        message = commit_message(kind, scope, what, body, actor.id, key, task_id, message_id)
        return await self._forge.commit(
            repo,
            CommitRequest(
                branch=branch,
                message=message,
                author=actor,
                changes=changes,
                operation=key,
                expected_head=expected_head,
                also_branch=also_branch,
                base=base,
                own=own,
            ),
        )

    async def revert(
        self,
        repo: RepoRef,
        sha: str,
        *,
        actor: Author,
        operation: str,
        branch: str = "main",
        message_id: str | None = None,
    ) -> CommitInfo:
        """Undo one commit by a new one.

        Raises:
            PathForbidden, CommitNotFound, NotUndoable, MergeConflict: nothing was written.
        """
        undone = await self._forge.commit_info(repo, sha)
        _check_paths(actor, undone.paths, complete=len(undone.paths) < MAX_COMMIT_PATHS)
        key = value_of("operation", operation)
        body = f"This reverts commit {undone.sha}."
        what = f"undo: {undone.subject}"
        message = commit_message("revert", "repo", what, body, actor.id, key, None, message_id)
        return await self._forge.revert(
            repo, undone.sha, branch=branch, message=message, author=actor, operation=key
        )

    async def merge(
        self,
        repo: RepoRef,
        *,
        actor: Author,
        source: str,
        target: str,
        what: str,
        operation: str,
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> CommitInfo:
        """Merge `source` into the branch `target`; merged already: the target's head.

        Raises:
            PathForbidden, BranchNotFound, MergeConflict: nothing was written.
        """
        diff = await self._forge.diff(repo, target, source)
        touched = {path for file in diff.files for path in (file.path, file.old_path) if path}
        _check_paths(actor, sorted(touched), complete=not diff.truncated)
        key = value_of("operation", operation)
        message = commit_message("merge", target, what, "", actor.id, key, task_id, message_id)
        # By SHA: what was checked is what is merged.
        return await self._forge.merge(
            repo,
            source=diff.head,
            target=target,
            message=message,
            author=actor,
            operation=key,
        )

    async def settle(
        self,
        repo: RepoRef,
        kept: str,
        settlement: Settlement,
        *,
        actor: Author,
        what: str,
        operation: str,
        branch: str = "main",
        task_id: str | None = None,
        message_id: str | None = None,
    ) -> CommitInfo:
        """Join `kept`, the commit of a `MergeConflict`, with the branch as the user decided.

        It is a merge commit, so both sides stay in the history.

        Raises:
            PathForbidden, CommitTooLarge, CommitNotFound: nothing was written.
            MergeConflict: the files have changed again since `settlement.seen`.
        """
        self._check_size(settlement.files)
        held = await self._forge.commit_info(repo, kept)
        if SETTLE not in actor.capabilities:
            paths = {*held.paths, *(change.path for change in settlement.files)}
            _check_paths(actor, sorted(paths), complete=len(held.paths) < MAX_COMMIT_PATHS)
        key = value_of("operation", operation)
        message = commit_message("settle", branch, what, "", actor.id, key, task_id, message_id)
        return await self._forge.merge(
            repo,
            source=kept,
            target=branch,
            message=message,
            author=actor,
            operation=key,
            settlement=settlement,
        )

    def _check_size(self, changes: Sequence[Change]) -> None:
        limits = self._settings
        if len(changes) > limits.max_files_per_commit:
            raise CommitTooLarge(
                f"{len(changes)} files in one commit, more than {limits.max_files_per_commit}"
            )
        total = 0
        for change in changes:
            size = len(change.content or b"")
            total += size
            if size > limits.max_file_bytes:
                raise CommitTooLarge(
                    f"`{change.path[:200]}` has {size} bytes, more than {limits.max_file_bytes}"
                )
        if total > limits.max_push_bytes:
            raise CommitTooLarge(f"{total} bytes in one commit, more than {limits.max_push_bytes}")


def _check_paths(actor: Author, paths: Sequence[str], *, complete: bool) -> None:
    if WRITE_ANYTHING in actor.capabilities:
        return
    if not complete:
        raise PathForbidden(f"`{actor.id}` may not write everything that this would change")
    check_may_write(actor.id, actor.capabilities, paths)
