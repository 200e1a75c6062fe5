import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db import accounts as queries
from growqr.db.engine import Database
from growqr.db.tables import RefreshToken, User
from growqr.identity.accounts import (
    REUSE_GRACE,
    Accounts,
    EmailInvalid,
    EmailTaken,
    Login,
    LoginFailed,
    RefreshRefused,
)
from growqr.identity.attempts import TooManyAttempts
from growqr.identity.passwords import MOST_WAITING, Passwords, PasswordsBusy
from growqr.identity.tokens import TokenService
from growqr.settings import IdentitySettings

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


async def register(accounts: Accounts, email: str = "Ada@Example.org") -> Login:
    return await accounts.register(email=email, password=PASSWORD, name="Ada", address="192.0.2.1")


async def log_in(accounts: Accounts, email: str, password: str = PASSWORD) -> Login:
    return await accounts.login(email=email, password=password, address="192.0.2.1")


async def test_register_then_log_in_whatever_the_case(
    accounts: Accounts, tokens: TokenService, db: Database
) -> None:
    made = await register(accounts)
    again = await log_in(accounts, "ADA@example.org")
    assert made.user == again.user == tokens.verify(again.token)
    async with db.session() as session:
        stored = (await session.scalars(select(User))).one()
    assert stored.email == "ada@example.org"
    assert stored.password_hash is not None
    assert stored.password_hash.startswith("$argon2id$")


async def test_an_address_registers_once_even_at_once(accounts: Accounts, db: Database) -> None:
    results = await asyncio.gather(register(accounts), register(accounts), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["EmailTaken", "Login"]
    with pytest.raises(EmailTaken):
        await register(accounts, "ADA@EXAMPLE.ORG")
    async with db.session() as session:
        assert len((await session.scalars(select(User))).all()) == 1


async def test_not_an_address_is_refused(accounts: Accounts) -> None:
    with pytest.raises(EmailInvalid):
        await register(accounts, "nobody at example")


async def test_wrong_password_and_unknown_address_look_the_same(accounts: Accounts) -> None:
    await register(accounts)
    said = set()
    for email in ("ada@example.org", "eve@example.org", "no address"):
        with pytest.raises(LoginFailed) as caught:
            await log_in(accounts, email, "wrong password")
        said.add((caught.value.detail, caught.value.code))
    assert len(said) == 1


async def test_a_login_costs_the_same_work_whether_or_not_there_is_an_account(
    db: Database, tokens: TokenService
) -> None:
    worked: list[Parameters] = []

    class Hasher(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            worked.append(extract_parameters(str(hash)))
            return super().verify(hash, password)

    hasher = Hasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(db, tokens, IdentitySettings(), Passwords(hasher))
    await register(accounts)
    async with db.session() as session:
        session.add(User(id="usr_eve", email="eve@example.org", name="E", clerk_id="user_eve"))
    for email in ("ada@example.org", "eve@example.org", "bob@example.org", "no address"):
        with pytest.raises(LoginFailed):
            await log_in(accounts, email, "wrong password")
    assert len(worked) == 4
    assert len(set(map(str, worked))) == 1


class Slow(PasswordHasher):
    """Hashes the password `crowd` only when told to go on."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.begun = threading.Event()
        self._go_on = go_on

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        if password == "crowd":
            self.begun.set()
            self._go_on.wait()
        return super().hash(password, salt=salt)


async def test_who_finds_a_crowd_logging_in_is_sent_away_and_nothing_is_counted(
    db: Database, tokens: TokenService
) -> None:
    go_on = threading.Event()
    passwords = Passwords(Slow(go_on))
    accounts = Accounts(db, tokens, IdentitySettings(login_failures=1), passwords)
    await register(accounts)
    await log_in(accounts, "ada@example.org")
    crowd = [asyncio.create_task(passwords.hash("crowd")) for _ in range(MOST_WAITING)]
    try:
        await asyncio.sleep(0)  # each begins
        for _ in range(2):
            with pytest.raises(PasswordsBusy):
                await log_in(accounts, "ada@example.org", "wrong password")
    finally:
        go_on.set()
        await asyncio.gather(*crowd)
    await log_in(accounts, "ada@example.org")


async def test_failures_lock_one_account_for_one_address(accounts: Accounts) -> None:
    await register(accounts)
    for _ in range(3):
        with pytest.raises(LoginFailed):
            await log_in(accounts, "ada@example.org", "wrong password")
    with pytest.raises(TooManyAttempts):
        await log_in(accounts, "ada@example.org")
    elsewhere = await accounts.login(
        email="ada@example.org", password=PASSWORD, address="192.0.2.2"
    )
    assert elsewhere.user.email == "ada@example.org"


async def test_attempts_at_once_are_limited_like_those_after_each_other(
    accounts: Accounts,
) -> None:
    await register(accounts)
    tries = [log_in(accounts, "ada@example.org", f"guess {number}") for number in range(20)]
    told = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in told].count(LoginFailed) == 3
    assert [type(one) for one in told].count(TooManyAttempts) == 17


async def test_failures_from_many_addresses_lock_the_account(accounts: Accounts) -> None:
    await register(accounts)
    for number in range(30):
        with pytest.raises(LoginFailed):
            await accounts.login(
                email="ada@example.org", password="a guess", address=f"192.0.2.{number}"
            )
    with pytest.raises(TooManyAttempts):
        await accounts.login(email="ada@example.org", password=PASSWORD, address="198.51.100.1")


async def test_one_address_may_not_guess_at_many_accounts(accounts: Accounts) -> None:
    await register(accounts)
    await register(accounts, "eve@example.org")
    for number in range(30):
        with pytest.raises(LoginFailed):
            await log_in(accounts, f"somebody-{number}@example.org", "Password1")
        if number % 10 == 0:
            await log_in(accounts, "eve@example.org")  # pays for nothing
    with pytest.raises(TooManyAttempts):
        await log_in(accounts, "ada@example.org")
    await accounts.login(email="ada@example.org", password=PASSWORD, address="198.51.100.1")


async def test_a_success_clears_the_count(accounts: Accounts) -> None:
    login = await register(accounts)
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(LoginFailed):
                await log_in(accounts, "ada@example.org", "wrong password")
        await log_in(accounts, "ada@example.org")
    for _ in range(4):
        await accounts.check_password(login.user.user_id, PASSWORD, address="192.0.2.1")


async def test_registrations_from_one_address_are_limited(accounts: Accounts) -> None:
    for number in range(5):
        await register(accounts, f"{number}@example.org")
    with pytest.raises(TooManyAttempts):
        await register(accounts, "6@example.org")


async def test_asking_which_addresses_are_taken_ends_like_guessing_passwords(
    accounts: Accounts,
) -> None:
    await register(accounts)
    for _ in range(2):
        with pytest.raises(EmailTaken):
            await register(accounts)
    await register(accounts, "eve@example.org")  # a success counts nothing
    with pytest.raises(EmailTaken):
        await register(accounts)
    for email in ("ada@example.org", "free@example.org"):
        with pytest.raises(TooManyAttempts):
            await register(accounts, email)


async def test_who_registers_while_others_of_the_same_network_do_is_no_guesser(
    db: Database, tokens: TokenService
) -> None:
    go_on = threading.Event()
    hasher = Slow(go_on)
    accounts = Accounts(db, tokens, IdentitySettings(login_failures=1), Passwords(hasher))
    slow = asyncio.create_task(
        accounts.register(
            email="bob@example.org", password="crowd", name="Bob", address="192.0.2.1"
        )
    )
    try:
        await asyncio.to_thread(hasher.begun.wait)
        await register(accounts)
    finally:
        go_on.set()
        await slow


async def test_refresh_rotates(accounts: Accounts, tokens: TokenService) -> None:
    first = await register(accounts)
    second = await accounts.refresh(first.refresh_token)
    third = await accounts.refresh(second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert tokens.verify(third.token) == first.user


async def test_two_tabs_may_refresh_at_once(accounts: Accounts) -> None:
    first = await register(accounts)
    one, two = await asyncio.gather(
        accounts.refresh(first.refresh_token), accounts.refresh(first.refresh_token)
    )
    assert one.refresh_token != two.refresh_token


async def test_late_reuse_revokes_the_whole_login_and_no_other(
    accounts: Accounts, db: Database
) -> None:
    stolen = await register(accounts)
    other = await log_in(accounts, "ada@example.org")
    newest = await accounts.refresh(stolen.refresh_token)
    long_ago = datetime.now(UTC) - REUSE_GRACE - timedelta(seconds=1)
    async with db.session() as session:
        await session.execute(
            update(RefreshToken).where(RefreshToken.used_at.is_not(None)).values(used_at=long_ago)
        )
    for token in (stolen.refresh_token, newest.refresh_token):
        with pytest.raises(RefreshRefused):
            await accounts.refresh(token)
    assert (await accounts.refresh(other.refresh_token)).user == other.user


async def test_expired_unknown_and_logged_out_tokens_are_refused(
    accounts: Accounts, db: Database
) -> None:
    gone = await register(accounts)
    await accounts.logout(gone.refresh_token)
    await accounts.logout("grt_unknown")
    expired = await log_in(accounts, "ada@example.org")
    async with db.session() as session:
        await session.execute(
            update(RefreshToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    for token in (gone.refresh_token, expired.refresh_token, "grt_unknown"):
        with pytest.raises(RefreshRefused):
            await accounts.refresh(token)


async def test_logging_out_everywhere_ends_every_login(accounts: Accounts) -> None:
    here, there = await register(accounts), await log_in(accounts, "ada@example.org")
    stranger = await register(accounts, "bob@example.org")
    await accounts.logout(here.refresh_token, everywhere=True)
    for login in (here, there):
        with pytest.raises(RefreshRefused):
            await accounts.refresh(login.refresh_token)
    assert (await accounts.refresh(stranger.refresh_token)).user == stranger.user


async def test_a_new_password_ends_a_login_that_is_renewed_at_that_moment(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = await register(accounts)
    use = queries.use_refresh_token

    async def late(session: AsyncSession, token_hash: str, now: datetime) -> None:
        new = "correct horse stable"
        await accounts.change_password(
            login.user.user_id, current=PASSWORD, new=new, address="192.0.2.1"
        )
        await use(session, token_hash, now)

    monkeypatch.setattr(queries, "use_refresh_token", late)
    with pytest.raises(RefreshRefused):
        await accounts.refresh(login.refresh_token)


async def test_a_token_that_was_revoked_ends_no_other_login(accounts: Accounts) -> None:
    copied = await register(accounts)
    await accounts.logout(copied.refresh_token)
    there = await log_in(accounts, "ada@example.org")
    await accounts.logout(copied.refresh_token, everywhere=True)
    assert (await accounts.refresh(there.refresh_token)).user == there.user


async def test_the_same_password_typed_differently_matches(passwords: Passwords) -> None:
    stored = await passwords.hash("Zürich am See")
    assert await passwords.matches(stored, "Zu\u0308rich am See")
    assert not await passwords.matches(stored, "Zurich am See")
    assert not await passwords.matches(None, "nobody has this password")
