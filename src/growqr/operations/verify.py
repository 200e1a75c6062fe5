"""`growqr verify`: each repository of a user, commit by commit."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from growqr.db.tables import ActorRow, Repo, User
from growqr.git.pushes import pushes_of
from growqr.git.repos import ref_of
from growqr.git.verifying import Finding, Verdict, verify_repository
from growqr.operations.backup import CannotWrite
from growqr.operations.stores import Stores, open_stores
from growqr.settings import Settings


@dataclass(frozen=True)
class Checked:
    """One repository; `owner` is the account's e-mail address."""

    repo_id: str
    name: str
    owner: str
    good: bool
    counts: Mapping[Verdict, int]
    findings: Sequence[Finding]
    pushed_by: Mapping[str, int]
    """How many of the pushed commits each user brought, by the account's address, or its id."""


async def verify_users(
    settings: Settings, wanted: Sequence[str], allowed_signers: Path | None
) -> list[Checked]:
    """Check all repositories of these users (none given: of everyone).

    It reads only, so the platform may be running. Raises NotFound, CannotWrite.
    """
    checked: list[Checked] = []
    async with open_stores(settings) as stores:
        signers = stores.signers()
        users = [await stores.user(text) for text in wanted] if wanted else await stores.users()
        emails = {user.id: user.email for user in await stores.users()}
        for user in users:
            repos, ours = await _of_user(stores, user)
            for repo in repos:
                path = await stores.forge.copy(ref_of(repo))
                pushes = await pushes_of(stores.db, repo.id)
                report = await asyncio.to_thread(
                    verify_repository, path, signers, ours=ours, pushes=pushes
                )
                checked.append(
                    Checked(
                        repo.id,
                        repo.name,
                        user.email,
                        report.good,
                        report.counts,
                        report.findings,
                        {emails.get(who, who): n for who, n in report.pushed_by.items()},
                    )
                )
    if allowed_signers is not None:
        lines = "".join(f"{signer.allowed_signers_line()}\n" for signer in signers)
        try:
            await asyncio.to_thread(allowed_signers.write_text, lines)
        except OSError as error:
            raise CannotWrite(f"`{allowed_signers}`: {error.strerror}") from error
    return checked


async def _of_user(stores: Stores, user: User) -> tuple[list[Repo], set[str]]:
    async with stores.db.session() as session:
        repos = await session.scalars(
            select(Repo).where(Repo.owner_id == user.id).order_by(Repo.id)
        )
        actors = await session.scalars(select(ActorRow.id).where(ActorRow.user_id == user.id))
        held = await stores.repos()
        return [repo for repo in repos if repo.id in held], {user.id, *actors}
