"""Accounts that are at Clerk, through the whole API: entering, and leaving as asked."""

import asyncio
import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from typer.testing import CliRunner

from growqr.api.app_factory import create_api
from growqr.api.observe import clerk_policy
from growqr.api.services import Services
from growqr.cli import app as command
from growqr.db.tables import User
from growqr.errors import InvalidInput
from growqr.git.tokens import TokenInvalid
from growqr.identity.accounts import RefreshRefused
from growqr.identity.clerk import ClerkIdentity
from tests.api.conftest import PASSWORD
from tests.api.fake_engine import FakeClient
from tests.api.test_departure import read_export, rows
from tests.support.clerk_server import ClerkServer, clerk_server, webhook

pytestmark = pytest.mark.anyio

EXPORT = {"repositories": "export"}


@pytest.fixture
def clerk() -> Iterator[ClerkServer]:
    with clerk_server() as server:
        yield server


def at_clerk(services: Services, clerk: ClerkServer, **more: Any) -> Services:
    """The services of an installation whose accounts are there."""
    settings = services.settings.model_copy(update={"identity": clerk.settings(**more)})
    identity = ClerkIdentity(
        settings.identity,
        services.db,
        "http://grow.test",
        before_join=services.repos.end_access,
    )
    return replace(services, settings=settings, clerk=identity)


@pytest.fixture
async def clerk_app(services: Services, clerk: ClerkServer) -> AsyncIterator[FastAPI]:
    services = at_clerk(services, clerk)
    yield create_api(services)
    assert services.clerk is not None
    await services.clerk.aclose()


async def test_pages_may_load_clerks_scripts_from_clerks_host_only(clerk_app: FastAPI) -> None:
    transport = httpx.ASGITransport(clerk_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        answer = await http.get("/config")
    assert answer.json()["clerk_publishable_key"].startswith("pk_test_")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self' https://clerk.grow.test https://challenges.cloudflare.com;" in policy
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


async def test_who_made_the_local_account_is_let_in_no_more_once_its_address_is_proven(
    clerk_app: FastAPI, clerk: ClerkServer, services: Services
) -> None:
    key = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()
    transport = httpx.ASGITransport(create_api(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as eve:
        account = {"email": "ada@example.org", "password": PASSWORD, "name": "Not Ada"}
        login = (await eve.post("/auth/register", json=account)).json()
        eve.headers["authorization"] = f"Bearer {login['token']}"
        assert (await eve.post("/actors/provision")).status_code == 201
        repo = (await eve.get("/git/repos")).json()["items"][0]["id"]
        token = (await eve.post(f"/git/repos/{repo}/tokens", json={})).json()["token"]
        assert await services.git_tokens.authenticate(repo, token)
        added = await eve.post(
            f"/git/repos/{repo}/deploy-keys", json={"title": "eve", "public_key": key}
        )
        assert added.status_code == 201

    transport = httpx.ASGITransport(clerk_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as ada:
        ada.headers["authorization"] = f"Bearer {clerk.token(clerk.add('ada'))}"
        assert (await ada.get("/git/repos")).json()["items"][0]["id"] == repo
    with pytest.raises(TokenInvalid):
        await services.git_tokens.authenticate(repo, token)
    assert await services.repos.deploy_keys.list(repo) == []
    with pytest.raises(RefreshRefused):
        await services.accounts.refresh(login["refresh_token"])


@pytest.fixture
async def ada(clerk_app: FastAPI, clerk: ClerkServer) -> AsyncIterator[httpx.AsyncClient]:
    """A person with agents whose account is at Clerk."""
    transport = httpx.ASGITransport(clerk_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        http.headers["authorization"] = f"Bearer {clerk.token(clerk.add('ada'))}"
        assert (await http.post("/actors/provision")).status_code == 201
        yield http


async def tell_of_deletion(http: httpx.AsyncClient) -> int:
    body, headers = webhook("user.deleted", "user_ada")
    return (await http.post("/auth/webhooks/clerk", content=body, headers=headers)).status_code


async def test_leaving_takes_everything_along_and_deletes_the_account_at_clerk(
    ada: httpx.AsyncClient, clerk: ClerkServer, services: Services, engine: FakeClient
) -> None:
    answer = await ada.post("/auth/delete", json=EXPORT)
    assert answer.status_code == 200
    assert not clerk.users
    assert not engine.agents
    assert "users" not in await rows(services)
    assert (await ada.get("/auth/me")).status_code == 401
    path = answer.json()["export"]["url"].removeprefix(services.settings.base_url)
    archive, account = read_export((await ada.get(path)).content)
    assert account["user"]["email"] == "ada@example.org"
    assert "repositories/grow.bundle" in archive.namelist()
    assert await tell_of_deletion(ada) == 204


@pytest.mark.parametrize("age", [[11, -1], [-1, -1], [], None, ["0"]])
async def test_a_device_left_open_is_not_enough(
    ada: httpx.AsyncClient, clerk: ClerkServer, age: list[int] | None
) -> None:
    headers = {"authorization": f"Bearer {clerk.token('user_ada', fva=age)}"}
    for path in ("/auth/export", "/auth/delete"):
        refused = await ada.post(path, json={}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "login_too_old")
    assert (await ada.get("/actors/me", headers=headers)).status_code == 200
    recent = {"authorization": f"Bearer {clerk.token('user_ada', fva=[10, -1])}"}
    assert (await ada.post("/auth/export", json={}, headers=recent)).status_code == 201


async def test_nothing_is_erased_when_clerk_does_not_answer(
    ada: httpx.AsyncClient, clerk: ClerkServer, engine: FakeClient
) -> None:
    clerk.down = True
    assert (await ada.post("/auth/delete", json=EXPORT)).status_code == 503
    assert "user_ada" in clerk.users
    assert (await ada.get("/actors/me")).status_code == 200
    assert engine.agents
    clerk.down = False
    assert (await ada.post("/auth/delete", json={})).status_code == 204


async def test_what_was_interrupted_is_finished_by_the_webhook_with_the_same_file(
    ada: httpx.AsyncClient, clerk: ClerkServer, services: Services, engine: FakeClient
) -> None:
    clerk.on_delete = lambda: setattr(engine, "down", True)
    assert (await ada.post("/auth/delete", json=EXPORT)).status_code == 503
    assert await tell_of_deletion(ada) == 503
    engine.down = False
    assert await tell_of_deletion(ada) == 204
    assert engine.agents == {}
    assert "users" not in await rows(services)
    (kept,) = services.exports.folder.all()
    assert kept.email == "ada@example.org"


async def test_of_two_who_begin_at_once_the_first_ones_file_counts(
    ada: httpx.AsyncClient, clerk: ClerkServer, services: Services
) -> None:
    first = (await ada.post("/auth/export", json={})).json()
    name = first["url"].rsplit("/", 1)[1]
    path = str(services.db.url.database)

    def begin() -> None:
        with sqlite3.connect(path) as db:
            db.execute("UPDATE users SET leaving = ?", [name])

    clerk.on_delete = begin
    answer = await ada.post("/auth/delete", json=EXPORT)
    assert answer.json()["export"] == first
    assert len(services.exports.folder.all()) == 1


async def test_the_operator_decides_what_a_deletion_at_clerk_does(
    ada: httpx.AsyncClient, clerk: ClerkServer, services: Services, engine: FakeClient
) -> None:
    keeping = at_clerk(services, clerk, clerk_deleted="export")
    transport = httpx.ASGITransport(create_api(keeping))
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as http:
        assert await tell_of_deletion(http) == 204
    assert keeping.clerk is not None
    await keeping.clerk.aclose()
    assert engine.agents == {}
    async with services.db.session() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0

    (kept,) = keeping.exports.folder.all()
    environment = {"GROWQR_DATA_DIR": str(services.settings.data_dir)}
    for who in ("ada@example.org", kept.user_id):
        told = await asyncio.to_thread(
            CliRunner().invoke, command, ["exports", "--user", who], env=environment
        )
        assert told.output.startswith(f"ada@example.org ({kept.user_id}): ")
        assert str(kept.path) in told.output
        assert f"/auth/exports/{kept.export.name}" in told.output
    nobody = CliRunner().invoke(command, ["exports", "--user", "eve@x.org"], env=environment)
    assert (nobody.exit_code, nobody.output) == (0, "")
    archive, account = read_export(kept.path.read_bytes())
    assert {row["name"] for row in account["repositories"]} == {"grow"}
    assert json.loads(archive.read("tasks.json")) == []
