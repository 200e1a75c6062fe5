"""Gitea as the forge: it holds the repositories, and each process reads a copy it keeps of them.

Every call first asks Gitea where the branches are, in one short request, and fetches what is
new; reading at a commit that is here already asks nothing. A write builds its commit in the copy
and sends it with the commit it was built on, so that Gitea takes it only if nothing came in
between. A copy is worth nothing: a damaged one is thrown away and fetched again.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pygit2
import structlog

from growqr.errors import GrowError
from growqr.git import objects as reading
from growqr.git import status_notes
from growqr.git.bare import create_copy, first_commit, remove_bare
from growqr.git.forge import ForgeBroken, ForgeDown, RepoNotFound, RepoRef
from growqr.git.gitea.fetching import fetch, push
from growqr.git.gitea.server import GiteaServer
from growqr.git.gitea.wire import Move, push_request
from growqr.git.local import LocalForge
from growqr.git.locking import repository_lock
from growqr.git.reading import opened
from growqr.git.refs import is_sha, rescue_ref
from growqr.git.statuses import CommitStatus, StatusInvalid, check_status
from growqr.settings import GitSettings

T = TypeVar("T")
_THREADS = 32
"""Calls at once. They mostly wait for Gitea, so there are more than processors."""
_log = structlog.get_logger(__name__)


class GiteaForge(LocalForge):
    """`Forge` on Gitea 1.22 or newer, with copies in a folder. Close it when done."""

    def __init__(self, folder: Path, settings: GitSettings) -> None:
        super().__init__(folder, settings)
        self.server = GiteaServer(settings)
        self._calls = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="gitea")
        self.threads = self._calls

    def close(self) -> None:
        """End the threads and connections; calls under way finish first."""
        self.maintenance.close()
        self._calls.shutdown()
        self.server.close()

    async def create(self, repo: RepoRef) -> None:
        def make() -> None:
            path = self.path(repo.id)
            self.server.ensure_repo(repo)
            create_copy(path)
            with repository_lock(path):
                self._sync(repo)
                opened(path, lambda git: self._start(repo, git))

        await self.run(make)

    async def held(self) -> list[RepoRef]:
        return await self.run(self.server.repos)

    async def copy(self, repo: RepoRef, *, statuses: bool = False) -> Path:
        def bring() -> Path:
            path = self.path(repo.id)
            self.server.heads(repo)  # RepoNotFound before anything is made
            create_copy(path)
            with repository_lock(path):
                self._sync(repo)
                self._fetch(repo)  # the rescue refs too, which no branch tells of
                if statuses:
                    opened(path, lambda git: self._note_statuses(repo, git))
            return path

        return await self.run(bring)

    async def take_over(self, repo: RepoRef, bring: Callable[[Path], None]) -> None:
        def make() -> None:
            self.server.ensure_repo(repo)
            if self.server.heads(repo):
                return
            # Gitea gets it whole in one push, so the copy may be thrown away if that fails.
            with tempfile.TemporaryDirectory(prefix="growqr-import-") as folder:
                path = Path(folder) / "repo.git"
                create_copy(path)
                bring(path)
                push(path, self.server.git_url(repo), self.server.git_authorization)
                try:
                    opened(path, lambda git: self._say_statuses(repo, git))
                except GrowError:
                    self.server.delete_repo(repo)  # or the next try would take it for complete
                    raise

        await self.run(make)

    async def hand_over(self, repo: RepoRef, owner_id: str) -> None:
        await self.run(lambda: self.server.transfer(repo, owner_id))

    async def delete(self, repo: RepoRef) -> None:
        def remove() -> None:
            path = self.path(repo.id)
            self.server.delete_repo(repo)
            if path.is_dir():
                remove_bare(path)

        await self.run(remove)

    async def add_deploy_key(
        self, repo: RepoRef, *, title: str, public_key: str, read_only: bool
    ) -> None:
        await self.run(
            lambda: self.server.add_key(
                repo, title=title, public_key=public_key, read_only=read_only
            )
        )

    async def remove_deploy_key(self, repo: RepoRef, *, public_key: str) -> None:
        await self.run(lambda: self.server.remove_key(repo, public_key=public_key))

    async def statuses(self, repo: RepoRef, ref: str) -> list[CommitStatus]:
        sha = await self._read(repo, lambda git: str(reading.resolve(git, ref).id), ref)
        return await self.run(lambda: self.server.statuses(repo, sha))

    async def set_status(self, repo: RepoRef, sha: str, status: CommitStatus) -> None:
        check_status(status)
        if status not in await self.statuses(repo, sha):
            await self.run(lambda: self.server.set_status(repo, sha, status))

    def prepare(self, repo: RepoRef, refs: Sequence[str]) -> None:
        path = self.path(repo.id)
        shas = [ref for ref in refs if is_sha(ref)]
        if refs and len(shas) == len(refs) and self._has(path, shas):
            return
        heads = self.server.heads(repo)
        create_copy(path)
        if opened(path, _local_heads) != heads:
            with repository_lock(path):
                self._sync(repo)
        self._fetch_missing(repo, shas)

    @contextmanager
    def writing(self, repo: RepoRef) -> Iterator[None]:
        path = self.path(repo.id)
        if not path.is_dir():
            self.server.heads(repo)  # RepoNotFound before anything is made
            create_copy(path)
        with repository_lock(path):
            self._sync(repo)
            yield

    def publish(
        self,
        repo: RepoRef,
        git: pygit2.Repository,
        branch: str,
        *,
        old: pygit2.Oid | None,
        new: pygit2.Oid,
        objects: Sequence[pygit2.Oid],
    ) -> bool:
        ref = f"refs/heads/{branch}"
        move = Move(ref, str(old) if old else None, str(new))
        refused = self.server.push(repo, ref, push_request(git, move, objects))
        if refused is None:
            git.references.create(ref, new, force=True)
            return True
        self._sync(repo)
        if reading.branch_head(git, branch) != old:
            return False
        _log.warning("gitea.push_refused", repo_id=repo.id, branch=branch, reason=refused)
        raise ForgeDown(f"Gitea refused the commit: {refused}")

    def keep(
        self, repo: RepoRef, git: pygit2.Repository, ref: str, objects: Sequence[pygit2.Oid]
    ) -> None:
        move = Move(ref, None, str(objects[0]))
        refused = self.server.push(repo, ref, push_request(git, move, objects))
        if refused is not None:
            _log.warning("gitea.push_refused", repo_id=repo.id, ref=ref, reason=refused)
        git.references.create(ref, objects[0], force=True)

    async def _read(self, repo: RepoRef, work: Callable[[pygit2.Repository], T], *refs: str) -> T:
        return await self._healing(repo, lambda: super(GiteaForge, self)._read(repo, work, *refs))

    async def _write(self, repo: RepoRef, work: Callable[[pygit2.Repository], T]) -> T:
        return await self._healing(repo, lambda: super(GiteaForge, self)._write(repo, work))

    async def _healing(self, repo: RepoRef, call: Callable[[], Awaitable[T]]) -> T:
        """Try a second time with a new copy when this one turns out to be damaged."""
        try:
            return await call()
        except ForgeBroken:
            _log.exception("gitea.copy_damaged", repo_id=repo.id)
            path = self.path(repo.id)
            await self.run(lambda: remove_bare(path))
            return await call()

    def _note_statuses(self, repo: RepoRef, git: pygit2.Repository) -> None:
        """Keep what Gitea says of the branches' commits as notes, as the embedded forge does."""
        for sha in set(_local_heads(git).values()):
            for status in self.server.statuses(repo, sha):
                with suppress(StatusInvalid):  # what others say there may be in any form
                    check_status(status)
                    notes = reading.ref_target(git, status_notes.REF)
                    oid = pygit2.Oid(hex=sha)
                    if made := status_notes.add(git, notes, oid, status, self.sign):
                        git.references.create(status_notes.REF, made[0], force=True)

    def _say_statuses(self, repo: RepoRef, git: pygit2.Repository) -> None:
        """Tell Gitea what such notes say."""
        for sha, status in status_notes.every(git):
            with suppress(RepoNotFound):  # of a commit that no branch leads to
                self.server.set_status(repo, sha, status)

    def _has(self, path: Path, shas: Sequence[str]) -> bool:
        return path.is_dir() and opened(path, lambda git: all(sha in git for sha in shas))

    def _fetch_missing(self, repo: RepoRef, shas: Sequence[str]) -> None:
        """Fetch once more for commits that no branch leads to: another process kept them."""
        if not self._has(self.path(repo.id), shas):
            with repository_lock(self.path(repo.id)):
                self._fetch(repo)

    def _start(self, repo: RepoRef, git: pygit2.Repository) -> None:
        if reading.branch_head(git, "main") is None:
            made = first_commit(git, repo, self.sign)
            self.publish(repo, git, "main", old=None, new=made[0], objects=made)

    def _sync(self, repo: RepoRef) -> None:
        """Bring the copy's branches to where Gitea's are; the caller holds its lock."""
        path = self.path(repo.id)
        heads = self.server.heads(repo)
        before = opened(path, _local_heads)
        if before == heads:
            return
        self._fetch(repo)
        opened(path, lambda git: self._keep_lost(repo, git, before))

    def _fetch(self, repo: RepoRef) -> None:
        fetch(self.path(repo.id), self.server.git_url(repo), self.server.git_authorization)

    def _keep_lost(self, repo: RepoRef, git: pygit2.Repository, before: dict[str, str]) -> None:
        """Keep what a branch lost when somebody rewrote it on the server itself."""
        after = _local_heads(git)
        for branch, sha in before.items():
            lost = pygit2.Oid(hex=sha)
            now = after.get(branch)
            if now == sha or (now and git.descendant_of(pygit2.Oid(hex=now), lost)):
                continue
            ref = rescue_ref(branch, sha)
            if ref not in git.references:
                _log.warning("git.history_rewritten", repo_id=repo.id, branch=branch, kept=ref)
                self.keep(repo, git, ref, [lost])


def _local_heads(git: pygit2.Repository) -> dict[str, str]:
    prefix = "refs/heads/"
    names = [name for name in git.references if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): str(git.references[name].peel(pygit2.Commit).id)
        for name in names
    }
