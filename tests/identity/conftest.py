from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from growqr.db.engine import Database
from growqr.identity.accounts import Accounts
from growqr.identity.passwords import Passwords
from growqr.identity.tokens import TokenService
from growqr.settings import IdentitySettings


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/growqr.sqlite")
    await database.migrate()
    yield database
    await database.aclose()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenService:
    return TokenService.open(tmp_path / "secrets", timedelta(minutes=5))


@pytest.fixture
def passwords() -> Passwords:
    """Real argon2id, as cheap as it allows."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def accounts(db: Database, tokens: TokenService, passwords: Passwords) -> Accounts:
    settings = IdentitySettings(login_failures=3, registrations_per_hour=5)
    return Accounts(db, tokens, settings, passwords)
