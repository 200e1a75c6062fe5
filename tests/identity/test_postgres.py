"""What depends on how a database locks, once more on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from growqr.db.engine import Database
from growqr.identity.accounts import Accounts, EmailTaken, RefreshRefused
from growqr.identity.passwords import Passwords
from growqr.identity.tokens import TokenService
from growqr.settings import IdentitySettings
from tests.support.postgres import postgres

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@pytest.fixture
async def accounts(tokens: TokenService, passwords: Passwords) -> AsyncIterator[Accounts]:
    with postgres() as url:
        db = Database(url)
        await db.migrate()
        yield Accounts(db, tokens, IdentitySettings(), passwords)
        await db.aclose()


async def test_racing_registrations_and_refreshes(accounts: Accounts) -> None:
    async def register() -> object:
        try:
            return await accounts.register(
                email="ada@example.org", password="correct horse", name="Ada", address="192.0.2.1"
            )
        except EmailTaken:
            return None

    made = await asyncio.gather(*(register() for _ in range(4)))
    assert sum(login is not None for login in made) == 1
    login = await accounts.login(
        email="ada@example.org", password="correct horse", address="192.0.2.1"
    )
    renewed = await asyncio.gather(*(accounts.refresh(login.refresh_token) for _ in range(4)))
    assert len({one.refresh_token for one in renewed}) == 4


async def test_a_new_password_ends_logins_that_are_renewed_all_the_time(
    accounts: Accounts,
) -> None:
    login = await accounts.register(
        email="ada@example.org", password="correct horse", name="Ada", address="192.0.2.1"
    )

    async def renew(token: str) -> None:
        while True:
            try:
                token = (await accounts.refresh(token)).refresh_token
            except RefreshRefused:
                return

    renewing = [asyncio.create_task(renew(login.refresh_token)) for _ in range(4)]
    new = await accounts.change_password(
        login.user.user_id, current="correct horse", new="correct stable", address="192.0.2.1"
    )
    await asyncio.gather(*renewing)
    assert (await accounts.refresh(new.refresh_token)).user == login.user
