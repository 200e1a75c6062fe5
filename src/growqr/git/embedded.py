"""The embedded forge: the repositories themselves, bare, in a folder of ours."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pygit2

from growqr.git import objects as reading
from growqr.git import status_notes
from growqr.git.bare import create_bare, create_imported, remove_bare
from growqr.git.building import SYNC_THREADS, make_durable, sync_file
from growqr.git.forge import RepoNotFound, RepoRef
from growqr.git.local import LocalForge
from growqr.git.locking import move_ref, repository_lock
from growqr.git.statuses import CommitStatus, check_status
from growqr.settings import GitSettings


class EmbeddedForge(LocalForge):
    """`Forge` on a folder: `<folder>/<repo_id>.git`. Close it when done; one per process."""

    def __init__(self, folder: Path, settings: GitSettings) -> None:
        super().__init__(folder, settings)
        self._syncing = ThreadPoolExecutor(max_workers=SYNC_THREADS, thread_name_prefix="git-sync")

    def close(self) -> None:
        """End the threads; calls under way finish first."""
        self.maintenance.close()
        self._syncing.shutdown()

    async def create(self, repo: RepoRef) -> None:
        path, most = self.path(repo.id), self.settings.max_push_bytes
        await self.run(
            lambda: create_bare(
                path, repo, executor=self._syncing, max_push_bytes=most, sign=self.sign
            )
        )

    async def held(self) -> list[RepoRef]:
        def names() -> list[str]:
            return sorted(path.stem for path in self.folder.glob("[A-Za-z0-9]*.git"))

        return [RepoRef(name, "", "") for name in await self.run(names)]

    async def take_over(self, repo: RepoRef, bring: Callable[[Path], None]) -> None:
        path, most = self.path(repo.id), self.settings.max_push_bytes
        await self.run(lambda: create_imported(path, bring, max_push_bytes=most))

    async def hand_over(self, repo: RepoRef, owner_id: str) -> None:
        """The database alone says whose a repository is."""
        self.path(repo.id)

    async def delete(self, repo: RepoRef) -> None:
        path = self.path(repo.id)
        await self.run(lambda: remove_bare(path))

    async def add_deploy_key(
        self, repo: RepoRef, *, title: str, public_key: str, read_only: bool
    ) -> None:
        """The host's SSH server asks for the keys that are kept; see `growqr.git.ssh`."""
        self.path(repo.id)

    async def remove_deploy_key(self, repo: RepoRef, *, public_key: str) -> None:
        self.path(repo.id)

    async def statuses(self, repo: RepoRef, ref: str) -> list[CommitStatus]:
        def work(git: pygit2.Repository) -> list[CommitStatus]:
            return status_notes.read(git, reading.resolve(git, ref).id)

        return await self._read(repo, work, ref)

    async def set_status(self, repo: RepoRef, sha: str, status: CommitStatus) -> None:
        check_status(status)

        def work(git: pygit2.Repository) -> None:
            old = reading.ref_target(git, status_notes.REF)
            said = status_notes.add(git, old, reading.resolve(git, sha).id, status, self.sign)
            if said:
                make_durable(git, said, self._syncing)
                move_ref(git, status_notes.REF, old, said[0])

        await self._write(repo, work)

    def prepare(self, repo: RepoRef, refs: Sequence[str]) -> None:
        """Everything is here already."""

    def writing(self, repo: RepoRef) -> AbstractContextManager[None]:
        path = self.path(repo.id)
        if not path.is_dir():
            raise RepoNotFound("there is no such repository")
        return repository_lock(path)

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
        make_durable(git, objects, self._syncing)
        return move_ref(git, f"refs/heads/{branch}", old, new)

    def keep(
        self, repo: RepoRef, git: pygit2.Repository, ref: str, objects: Sequence[pygit2.Oid]
    ) -> None:
        make_durable(git, objects, self._syncing)
        git.references.create(ref, objects[0], force=True)
        sync_file(Path(git.path) / ref)
