"""Limits on attempts hold for all processes of a database together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from growqr.db.engine import Database
from growqr.db.tables import Attempts
from growqr.identity import attempts as limits
from growqr.identity.accounts import Accounts, LoginFailed
from growqr.identity.attempts import AttemptLimit, TooManyAttempts
from growqr.identity.passwords import Passwords
from growqr.identity.tokens import TokenService
from growqr.settings import IdentitySettings
from tests.support.postgres import postgres

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
async def databases(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Database, Database]]:
    """One database as two processes see it: each with connections of its own."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/growqr.sqlite"
        if request.param == "postgresql":
            url = stack.enter_context(postgres())
        one, two = Database(url), Database(url)
        await one.migrate()
        yield one, two
        await one.aclose()
        await two.aclose()


async def rows(db: Database) -> int:
    async with db.session() as session:
        return await session.scalar(select(func.count()).select_from(Attempts)) or 0


async def test_guesses_at_several_processes_are_limited_as_at_one(
    databases: tuple[Database, Database], tokens: TokenService, passwords: Passwords
) -> None:
    settings = IdentitySettings(login_failures=3)
    here, there = (Accounts(db, tokens, settings, passwords) for db in databases)
    account = {"email": "ada@example.org", "address": "192.0.2.1"}
    await here.register(password="correct horse", name="Ada", **account)
    guesses = (
        accounts.login(password=f"guess {number}", **account)
        for number in range(10)
        for accounts in (here, there)
    )
    told = await asyncio.gather(*guesses, return_exceptions=True)
    assert [type(one) for one in told].count(LoginFailed) == 3
    assert [type(one) for one in told].count(TooManyAttempts) == 17
    for accounts in (here, there):
        with pytest.raises(TooManyAttempts):
            await accounts.login(password="correct horse", **account)


async def test_what_is_given_back_or_forgotten_counts_nowhere(
    databases: tuple[Database, Database],
) -> None:
    here, there = (AttemptLimit(db, "x", 2, 60) for db in databases)
    await here.take("a")
    await there.take("a")
    await here.give_back("a")
    await there.take("a")
    with pytest.raises(TooManyAttempts):
        await here.take("a")
    await here.take("b")
    await AttemptLimit(databases[0], "y", 2, 60).take("a")
    await there.forget("a")
    await here.take("a")
    await here.give_back("never tried")


async def test_attempts_come_back_after_their_time_and_their_rows_go(
    databases: tuple[Database, Database],
) -> None:
    now = NOON
    here, there = (AttemptLimit(db, "x", 2, 60, lambda: now) for db in databases)
    await here.take("a")
    now += timedelta(seconds=20)
    await there.take("a")
    with pytest.raises(TooManyAttempts) as caught:
        await here.take("a")
    assert caught.value.extra["retry_after"] == 40
    now += timedelta(seconds=40)
    for _ in range(2):
        await here.take("a")
    with pytest.raises(TooManyAttempts):
        await there.take("a")
    await here.take("b")
    now += timedelta(seconds=60)
    await asyncio.gather(here.sweep(), there.sweep())
    assert await rows(databases[0]) == 0


async def test_made_up_names_do_not_fill_the_database(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_ROWS", 3)
    now = NOON
    limit = AttemptLimit(databases[0], "x", 1, 60, lambda: now)
    for number in range(10):
        now += timedelta(seconds=1)
        await limit.take(f"name {number}")
    await limit.sweep()
    assert await rows(databases[0]) == 3
    with pytest.raises(TooManyAttempts):
        await limit.take("name 9")
