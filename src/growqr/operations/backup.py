"""`growqr backup`: accounts and repositories in one file, while the platform runs."""

import asyncio
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr import __version__
from growqr.db.tables import ActorRow, Push, Repo
from growqr.errors import Conflict, InvalidInput, Unavailable
from growqr.git.bundles import write_bundle
from growqr.git.forge import ForgeBroken, RepoRef
from growqr.operations.archive import (
    MANIFEST,
    AccountRow,
    AgentRow,
    Manifest,
    PushRow,
    RepoRow,
    SignerRow,
    bundle_name,
)
from growqr.operations.stores import Stores, open_stores
from growqr.settings import Settings


class BackupThere(Conflict):
    """A backup never overwrites a file."""

    code = "backup_there"


class BackupFailed(Unavailable):
    """Git or the disk refused; no file was left."""

    code = "backup_failed"


class CannotWrite(InvalidInput):
    """There is no folder for the file, or no right to write in it."""

    code = "cannot_write"


@dataclass(frozen=True)
class Done:
    """What a backup holds; `size` in bytes."""

    accounts: int
    repos: int
    size: int


async def write_backup(settings: Settings, file: Path, wanted: Sequence[str]) -> Done:
    """Write these users (none given: everyone) to `file`, readable by its owner only.

    The rows are of one moment, each repository of one moment after it: a bundle holds whole
    commits only, whoever writes meanwhile. The file appears when it is complete.

    Raises:
        NotFound, BackupThere, CannotWrite, BackupFailed: no file was written.
    """
    if file.exists():
        raise BackupThere(f"`{file}` exists. Choose another name, or move it away first.")
    async with open_stores(settings) as stores:
        manifest = await _manifest(stores, wanted)
        copies = {
            row.id: await stores.forge.copy(RepoRef(row.id, row.owner_id, row.name), statuses=True)
            for row in manifest.repos
        }
        await asyncio.to_thread(_write, manifest, copies, file)
    size = (await asyncio.to_thread(file.stat)).st_size
    return Done(len(manifest.accounts), len(manifest.repos), size)


async def _manifest(stores: Stores, wanted: Sequence[str]) -> Manifest:
    users = [await stores.user(text) for text in wanted] if wanted else await stores.users()
    ids = {user.id for user in users}
    async with stores.db.session() as session:
        repos = [row for row in await session.scalars(select(Repo)) if row.owner_id in ids]
        actors = [row for row in await session.scalars(select(ActorRow)) if row.user_id in ids]
        pushes = list(await session.scalars(select(Push).order_by(Push.id)))
    held = await stores.repos()
    kept = [row for row in repos if row.id in held]
    signing = ids | {row.id for row in actors} | {"growqr"}
    return Manifest(
        version=__version__,
        accounts=[AccountRow.model_validate(user) for user in users],
        repos=[RepoRow.model_validate(row) for row in sorted(kept, key=lambda row: row.id)],
        agents=[
            # Of what the file does not hold it must not speak: an import refuses that.
            agent if agent.repo_id in held else agent.model_copy(update={"repo_id": None})
            for agent in map(AgentRow.model_validate, sorted(actors, key=lambda row: row.id))
        ],
        signers=[
            SignerRow.model_validate(signer)
            for signer in stores.signers()
            if signer.author_id in signing
        ],
        pushes=[
            PushRow.model_validate(row)
            for row in pushes
            if row.repo_id in {repo.id for repo in kept}
        ],
    )


def _write(manifest: Manifest, copies: Mapping[str, Path], file: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=".growqr-backup-", dir=file.parent) as aside:
            made = Path(aside) / "backup"
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as raw:
                with tarfile.open(fileobj=raw, mode="w") as tar:
                    _add_bytes(tar, MANIFEST, manifest.model_dump_json(indent=1).encode())
                    for repo in manifest.repos:
                        bundle = Path(aside) / "bundle"
                        write_bundle(copies[repo.id], bundle)
                        tar.add(bundle, bundle_name(repo.id), filter=_plain)
                        bundle.unlink()
                raw.flush()
                os.fsync(raw.fileno())
            try:
                os.link(made, file)  # fails, where a rename would replace
            except FileExistsError:
                raise BackupThere(f"`{file}` has appeared meanwhile.") from None
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise CannotWrite(f"`{file}` can't be written: {error.strerror}") from error
    except OSError as error:
        raise BackupFailed(f"The backup can't be written: {error.strerror}") from error
    except ForgeBroken as error:
        raise BackupFailed(error.detail) from error


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o600
    tar.addfile(entry, io.BytesIO(data))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry
