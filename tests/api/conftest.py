"""The whole api on a real database and forge; only the agents behind it are in memory."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from growqr.agents.memory import Memory
from growqr.api.agents_gateway import AgentGateway
from growqr.api.app_factory import create_api
from growqr.api.events import EventHub
from growqr.api.export_folder import ExportFolder
from growqr.api.exports import Exports
from growqr.api.services import Services
from growqr.billing.entitlement import Entitlements
from growqr.db.engine import Database
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.repos import RepoService
from growqr.git.tokens import GitTokens
from growqr.identity.accounts import Accounts
from growqr.identity.passwords import Passwords
from growqr.identity.tokens import TokenService
from growqr.settings import Settings
from tests.api.fake_engine import FakeClient

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def engine() -> FakeClient:
    return FakeClient()


@pytest.fixture
def forge(settings: Settings) -> Iterator[EmbeddedForge]:
    forge = EmbeddedForge(settings.data_dir / "git", settings.git)
    yield forge
    forge.close()


@pytest.fixture
async def services(
    settings: Settings, engine: FakeClient, forge: EmbeddedForge
) -> AsyncIterator[Services]:
    db = Database(settings.db_url)
    await db.migrate()
    commits = CommitService(forge, settings.git)
    tokens = TokenService.open(settings.data_dir / "secrets", timedelta(hours=1))
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    agents = AgentGateway(engine.client)
    hub = EventHub(agents, per_user=settings.limits.sse_per_user)
    yield Services(
        settings=settings,
        db=db,
        tokens=tokens,
        accounts=Accounts(db, tokens, settings.identity, cheap),
        entitlements=Entitlements(settings.billing, db),
        forge=forge,
        commits=commits,
        memory=Memory(forge, commits),
        repos=RepoService(db, forge, commits, settings),
        git_tokens=GitTokens(db),
        exports=Exports(ExportFolder(settings.data_dir / "exports", 7), db, forge, agents),
        agents=agents,
        events=hub,
        engine_endpoint="http://127.0.0.1:9",
    )
    await hub.aclose()
    await db.aclose()


@pytest.fixture
def app(services: Services) -> FastAPI:
    return create_api(services)


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not logged in."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as client:
        yield client


@dataclass
class Person:
    """A registered user with agents, and what they own."""

    http: httpx.AsyncClient
    user_id: str
    actor: dict[str, Any]


async def new_person(app: FastAPI, name: str) -> Person:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    http = httpx.AsyncClient(transport=transport, base_url="http://grow.test")
    account = {"email": f"{name}@example.org", "password": PASSWORD, "name": name}
    login = (await http.post("/auth/register", json=account)).json()
    http.headers["authorization"] = f"Bearer {login['token']}"
    actor = (await http.post("/actors/provision")).json()["actor"]
    return Person(http, login["user"]["id"], actor)


@pytest.fixture
async def ada(app: FastAPI) -> AsyncIterator[Person]:
    person = await new_person(app, "ada")
    yield person
    await person.http.aclose()


@pytest.fixture
async def bob(app: FastAPI) -> AsyncIterator[Person]:
    person = await new_person(app, "bob")
    yield person
    await person.http.aclose()
