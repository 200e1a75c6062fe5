"""`growqr import`: take over what a backup of this or another installation holds."""

import asyncio
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.api.provisioning import CAPABILITIES
from growqr.db.tables import ActorRow, Push, Repo, User
from growqr.errors import GrowError, InvalidInput
from growqr.git.forge import PLATFORM, RepoRef
from growqr.git.program import git_environment
from growqr.git.signing import KnownSigner, Signer
from growqr.operations.archive import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    AccountRow,
    AgentRow,
    Manifest,
    PushRow,
    RepoRow,
    bundle_name,
)
from growqr.operations.stores import Stores, open_stores
from growqr.settings import Settings


class BackupInvalid(InvalidInput):
    """The file is no backup, or a part of it is damaged."""

    code = "backup_invalid"


async def read_backup(settings: Settings, file: Path) -> list[str]:
    """Take over every account of the file that is not here yet; returns what was done, in words.

    What is here stays as it is: an account with the same address under another id is left
    alone with all that is its. Importing again does nothing more. Each repository is checked
    object by object as it comes in; the agents find their state in it when they first start.

    Raises BackupInvalid; accounts before the damaged part are complete.
    """
    async with open_stores(settings) as stores:
        manifest = await asyncio.to_thread(_manifest, file)
        _check(manifest)
        # A second key for who has one here would let the file's maker sign in their name.
        here = {signer.author_id for signer in stores.signers()} - {PLATFORM.id}
        known = [KnownSigner(row.author_id, row.public_key) for row in manifest.signers]
        Signer(stores.secrets).add_known([one for one in known if one.author_id not in here])
        return [await _account(stores, file, manifest, row) for row in manifest.accounts]


def _check(manifest: Manifest) -> None:
    """Raise BackupInvalid when a row reaches for what is not in the file: people make files, too.

    An agent's repository is what it reads and writes, its parent whom it reports to.
    """
    agents = {row.id: row.user_id for row in manifest.agents}
    repos = {row.id: row.owner_id for row in manifest.repos}
    people = {row.id for row in manifest.accounts}
    foreign = (
        *(row.repo_id for row in manifest.agents if repos.get(row.repo_id or "") != row.user_id),
        *(
            row.parent_id
            for row in manifest.agents
            if agents.get(row.parent_id or "") != row.user_id
        ),
        *(row.author_id for row in manifest.signers if row.author_id not in {*people, *agents}),
    )
    named = {found for found in foreign if found is not None} - {PLATFORM.id}
    if named:
        raise BackupInvalid(f"The file names `{min(named)[:80]}`, which is in it nowhere")


async def _account(stores: Stores, file: Path, manifest: Manifest, account: AccountRow) -> str:
    repos = [row for row in manifest.repos if row.owner_id == account.id]
    agents = [row for row in manifest.agents if row.user_id == account.id]
    ids = {row.id for row in repos}
    pushes = [row for row in manifest.pushes if row.repo_id in ids]
    async with stores.db.session() as session:
        same = await session.scalar(select(User).where(User.email == account.email))
        owners = {row.id: row.owner_id for row in await session.scalars(select(Repo))}
    if same is not None and same.id != account.id:
        return f"{account.email}: left: an account with this address is here already"
    if any(owners.get(row.id, account.id) != account.id for row in repos):
        return f"{account.email}: left: one of its repositories belongs to another account here"
    # Git first: a row without its repository would get an empty one.
    for row in repos:
        await _unpack(stores, file, row)
    async with stores.db.session() as session:
        added = await _rows(session, account, repos, agents, pushes)
    return f"{account.email}: {'taken over' if added else 'nothing was missing'}"


async def _rows(
    session: AsyncSession,
    account: AccountRow,
    repos: list[RepoRow],
    agents: list[AgentRow],
    pushes: list[PushRow],
) -> int:
    added = 0
    if await session.get(User, account.id) is None:
        session.add(User(**account.model_dump()))
        added += 1
        await session.flush()
    for repo in repos:
        if await session.get(Repo, repo.id) is None:
            session.add(Repo(**repo.model_dump()))
            added += 1
    await session.flush()
    for agent in sorted(agents, key=lambda agent: agent.parent_id is not None):
        if await session.get(ActorRow, agent.id) is None:
            session.add(_agent(agent))
            added += 1
            await session.flush()
    for push in pushes:
        if await session.get(Push, push.id) is None:
            session.add(Push(**push.model_dump()))
            added += 1
    return added


def _agent(row: AgentRow) -> ActorRow:
    return ActorRow(
        **row.model_dump(),
        type="agent" if row.parent_id else "grow",
        workspace_path=f"workspaces/{row.user_id}/{row.id}",
        capabilities="\n".join(CAPABILITIES[row.name]),
    )


def _manifest(file: Path) -> Manifest:
    try:
        with tarfile.open(file) as tar:
            entry = tar.getmember(MANIFEST)
            content = tar.extractfile(entry)
            if content is None or entry.size > MAX_MANIFEST_BYTES:
                raise BackupInvalid(f"`{file}` is not a GrowQR backup")
            return Manifest.model_validate_json(content.read())
    except (tarfile.TarError, KeyError, ValidationError) as error:
        raise BackupInvalid(f"`{file}` is not a GrowQR backup, or is damaged") from error
    except OSError as error:
        raise BackupInvalid(f"`{file}` can't be read: {error.strerror}") from error


async def _unpack(stores: Stores, file: Path, row: RepoRow) -> None:
    def bring(folder: Path) -> None:
        with tempfile.NamedTemporaryFile(suffix=".bundle") as bundle:
            with tarfile.open(file) as tar:
                content = tar.extractfile(bundle_name(row.id))
                assert content is not None
                shutil.copyfileobj(content, bundle)
            bundle.flush()
            _fetch(folder, Path(bundle.name))

    try:
        await stores.forge.take_over(RepoRef(row.id, row.owner_id, row.name), bring)
    except (KeyError, tarfile.TarError, subprocess.CalledProcessError) as error:
        raise BackupInvalid(f"The repository {row.id} is missing or damaged") from error
    except GrowError as error:
        raise BackupInvalid(f"The repository {row.id} can't be written") from error


def _fetch(folder: Path, bundle: Path) -> None:
    config = {"fetch.fsckObjects": "true", "core.fsync": "all", "gc.auto": "0"}
    fetch = ["fetch", "--quiet", "--no-tags", str(bundle), "+refs/*:refs/*"]
    subprocess.run(
        ["git", "--git-dir", str(folder), *fetch],
        env=git_environment(folder, config),
        capture_output=True,
        check=True,
    )
