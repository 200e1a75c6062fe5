"""Changing a password, and leaving for good."""

import hashlib
import io
import json
import os
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from growqr.api.services import Services
from growqr.db.tables import Base, Repo
from growqr.git.repos import ref_of
from tests.api.conftest import PASSWORD, Person
from tests.api.fake_engine import FakeClient

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
    again = {"password": PASSWORD, "repositories": "export"}  # on second thoughts
    answer = await ada.http.post("/auth/delete", json=again)
    assert answer.status_code == 200
    assert (await ada.http.get(answer.json()["export"]["url"])).status_code == 200
    assert ada.actor["id"] not in engine.agents
    assert bob.actor["id"] in engine.agents
    assert not list(git.glob(f"{repo}*"))
    assert not workspace.parent.exists()
    assert (await rows(services))["users"] == 1
    assert (await ada.http.get("/actors/me")).status_code == 404
    assert (await ada.http.post("/actors/provision")).status_code == 401
    assert (await bob.http.get("/actors/me")).status_code == 200


def read_export(content: bytes) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("account.json"))


def head_of(bundle: Path, clone: Path) -> str:
    """The head of `main` in a clone of the bundle."""
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(clone)], check=True)
    command = ["git", "rev-parse", "origin/main"]
    done = subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_leaving_with_an_export_gives_everything_and_then_erases_it(
    ada: Person, bob: Person, services: Services, engine: FakeClient, tmp_path: Path
) -> None:
    for number in range(205):  # more than one page
        await ada.http.post(f"/actors/{ada.actor['id']}/message", json={"text": f"say {number}"})
    await bob.http.post(f"/actors/{bob.actor['id']}/message", json={"text": "bob's secret"})
    await ada.http.post("/git/repos", json={"name": "garden"})
    engine.agents[ada.actor["id"]].add_task("tsk_1")
    async with services.db.session() as session:
        refs = {row.name: ref_of(row) for row in await session.scalars(select(Repo))}
        owned = set(await session.scalars(select(Repo.name).filter_by(owner_id=ada.user_id)))
    head = await services.forge.head(refs["garden"])

    body = {"password": PASSWORD, "repositories": "export"}
    engine.down = True
    assert (await ada.http.post("/auth/delete", json=body)).status_code == 503
    engine.down = False
    assert (await ada.http.get("/actors/me")).status_code == 200  # nothing was erased

    answer = await ada.http.post("/auth/delete", json=body)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    left = answer.json()["export"]
    assert (await ada.http.post("/actors/provision")).status_code == 401
    assert (await rows(services))["users"] == 1
    assert not list((services.settings.data_dir / "git").glob(f"{refs['garden'].id}*"))

    path = left["url"].removeprefix(services.settings.base_url)
    file = await ada.http.get(path, headers={"authorization": ""})
    assert hashlib.sha256(file.content).hexdigest() == left["sha256"]
    assert (len(file.content), file.headers["content-type"]) == (left["bytes"], "application/zip")
    archive, account = read_export(file.content)
    assert account["user"]["email"] == "ada@example.org"
    assert owned == {"grow", "garden"} == {row["name"] for row in account["repositories"]}
    texts = [message["text"] for message in json.loads(archive.read("channels/grow.json"))]
    assert texts == [f"say {number}" for number in range(205)]
    assert [task["id"] for task in json.loads(archive.read("tasks.json"))] == ["tsk_1"]
    assert "bob" not in str({name: archive.read(name) for name in archive.namelist()})
    assert PASSWORD not in str(account)
    assert "argon2" not in str(account)
    archive.extract("repositories/garden.bundle", tmp_path)
    assert head_of(tmp_path / "repositories/garden.bundle", tmp_path / "clone") == head


async def test_an_export_needs_the_password_and_is_gone_after_a_week(
    ada: Person, anyone: httpx.AsyncClient, services: Services
) -> None:
    for wrong in ({}, {"password": "not this one"}):
        refused = await ada.http.post("/auth/export", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "login_failed")
    answer = await ada.http.post("/auth/export", json={"password": PASSWORD})
    assert answer.status_code == 201
    name = answer.json()["url"].rsplit("/", 1)[1]
    folder = services.settings.data_dir / "exports"
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await anyone.get(f"/auth/exports/{name}")).status_code == 200
    for other in (name[:-1] + "x", "x", f"..%2Fexports%2F{name}"):
        assert (await anyone.get(f"/auth/exports/{other}")).status_code in (400, 404)
    long_ago = time.time() - 8 * 86_400
    os.utime(file, (long_ago, long_ago))
    assert (await anyone.get(f"/auth/exports/{name}")).status_code == 404
    (folder / "swept-elsewhere.zip").symlink_to("nothing")
    services.exports.folder.sweep()
    assert list(folder.iterdir()) == []
    for _ in range(4):
        again = await ada.http.post("/auth/export", json={"password": PASSWORD})
        assert again.status_code == 201
    many = await ada.http.post("/auth/export", json={"password": PASSWORD})
    assert (many.status_code, many.json()["code"]) == (429, "too_many_attempts")
