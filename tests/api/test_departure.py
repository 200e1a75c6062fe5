"""Changing a password, leaving for good, and accounts that are at Clerk."""

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from growqr.api.app_factory import create_api
from growqr.api.observe import clerk_policy
from growqr.api.services import Services
from growqr.db.tables import Base
from growqr.errors import InvalidInput
from growqr.identity.clerk import ClerkIdentity
from tests.api.conftest import PASSWORD, Person
from tests.api.fake_engine import FakeClient
from tests.support.clerk_server import ClerkServer, clerk_server, webhook

pytestmark = pytest.mark.anyio


async def rows(services: Services) -> dict[str, int]:
    """How many rows each table has, those that have any."""
    async with services.db.session() as session:
        counts = {
            name: await session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }
    return {name: count for name, count in counts.items() if count}


async def test_a_new_password_ends_other_logins(anyone: httpx.AsyncClient, ada: Person) -> None:
    account = {"email": "ada@example.org", "password": PASSWORD}
    other = (await anyone.post("/auth/login", json=account)).json()
    body = {"current": "not this one", "new": "another good one"}
    refused = await ada.http.post("/auth/password", json=body)
    assert (refused.status_code, refused.json()["code"]) == (401, "login_failed")
    changed = await ada.http.post("/auth/password", json={**body, "current": PASSWORD})
    assert changed.status_code == 200
    stale = await anyone.post("/auth/refresh", json={"refresh_token": other["refresh_token"]})
    assert stale.status_code == 401
    fresh = {"refresh_token": changed.json()["refresh_token"]}
    assert (await anyone.post("/auth/refresh", json=fresh)).status_code == 200
    assert (await anyone.post("/auth/login", json=account)).status_code == 401
    account["password"] = "another good one"
    assert (await anyone.post("/auth/login", json=account)).status_code == 200


async def test_leaving_erases_everything_of_that_user_and_nothing_else(
    ada: Person, bob: Person, services: Services, engine: FakeClient
) -> None:
    repo = ada.actor["repo_id"]
    git = services.settings.data_dir / "git"
    workspace = services.settings.data_dir / "workspaces" / ada.user_id / "act"
    workspace.mkdir(parents=True)
    assert list(git.glob(f"{repo}*"))
    wrong = await ada.http.post("/auth/delete", json={"password": "not this one"})
    assert wrong.status_code == 401
    engine.down = True
    answer = await ada.http.post("/auth/delete", json={"password": PASSWORD})
    assert answer.status_code == 503
    engine.down = False
    answer = await ada.http.post("/auth/delete", json={"password": PASSWORD})
    assert answer.status_code == 204
    assert ada.actor["id"] not in engine.agents
    assert bob.actor["id"] in engine.agents
    assert not list(git.glob(f"{repo}*"))
    assert not workspace.parent.exists()
    assert (await rows(services))["users"] == 1
    assert (await ada.http.get("/actors/me")).status_code == 404
    assert (await ada.http.post("/actors/provision")).status_code == 401
    assert (await bob.http.get("/actors/me")).status_code == 200


@pytest.fixture
def clerk() -> Iterator[ClerkServer]:
    with clerk_server() as server:
        yield server


@pytest.fixture
async def clerk_app(services: Services, clerk: ClerkServer) -> AsyncIterator[FastAPI]:
    settings = services.settings.model_copy(update={"identity": clerk.settings()})
    identity = ClerkIdentity(settings.identity, services.db, "http://grow.test")
    yield create_api(replace(services, settings=settings, clerk=identity))
    await identity.aclose()


async def test_pages_may_load_clerks_scripts_from_clerks_host_only(clerk_app: FastAPI) -> None:
    transport = httpx.ASGITransport(clerk_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        answer = await http.get("/config")
    assert answer.json()["clerk_publishable_key"].startswith("pk_test_")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' https://grow.test https://challenges.cloudflare.com;" in policy
    with pytest.raises(InvalidInput):
        clerk_policy("pk_live_" + base64.b64encode(b"evil.example; x").decode())


async def test_with_clerk_its_tokens_serve_and_local_login_is_not_there(
    clerk_app: FastAPI, clerk: ClerkServer, services: Services, engine: FakeClient
) -> None:
    ada = clerk.add("ada")
    transport = httpx.ASGITransport(clerk_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        account = {"email": "eve@example.org", "password": PASSWORD, "name": "Eve"}
        for path in ("/auth/register", "/auth/login"):
            assert (await http.post(path, json=account)).status_code == 404
        forged = {"authorization": f"Bearer {clerk.token(ada, azp='https://evil.example')}"}
        assert (await http.get("/auth/me", headers=forged)).status_code == 401
        http.headers["authorization"] = f"Bearer {clerk.token(ada)}"
        assert (await http.get("/auth/me")).json()["email"] == "ada@example.org"
        assert (await http.post("/actors/provision")).status_code == 201
        body, headers = webhook("user.deleted", ada)
        bad = await http.post("/auth/webhooks/clerk", content=b"{}", headers=headers)
        assert (bad.status_code, bad.json()["code"]) == (400, "webhook.signature_invalid")
        gone = await http.post("/auth/webhooks/clerk", content=body, headers=headers)
        assert gone.status_code == 204
        assert (await http.get("/auth/me")).status_code == 401
    assert engine.agents == {}
    assert set(await rows(services)) <= {"webhook_events", "alembic_version"}
