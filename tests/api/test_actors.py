import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from growqr.api.provisioning import provision
from growqr.api.services import Services
from growqr.billing.entitlement import Entitlement
from growqr.db.tables import ActorRow, Repo
from growqr.identity.principal import Principal
from growqr.settings import BackingService, ServiceOperation, Settings
from tests.api.conftest import Person
from tests.api.fake_engine import FakeClient

pytestmark = pytest.mark.anyio


async def test_provision_makes_everything_once_even_when_raced(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    account = {"email": "eve@example.org", "password": "correct horse", "name": "Eve"}
    token = (await anyone.post("/auth/register", json=account)).json()["token"]
    anyone.headers["authorization"] = f"Bearer {token}"
    answers = await asyncio.gather(*(anyone.post("/actors/provision") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["actor"]["id"] for answer in answers}) == 1
    async with services.db.session() as session:
        assert await session.scalar(select(func.count()).select_from(ActorRow)) == 4
        assert await session.scalar(select(func.count()).select_from(Repo)) == 1


async def test_services_that_are_set_up_later_give_everybody_their_agent(
    ada: Person, services: Services, settings: Settings
) -> None:
    names = {row["name"] for row in (await ada.http.get("/actors")).json()["items"]}
    assert "service" not in names
    operation = ServiceOperation(name="ask", path="/ask")
    box = BackingService(name="box", url="http://127.0.0.1:9", operations=(operation,))
    later = replace(services, settings=settings.model_copy(update={"services": (box,)}))
    done = await asyncio.gather(*(provision(later, ada.user_id) for _ in range(3)))
    assert {one.grow.id for one in done} == {ada.actor["id"]}
    rows = (await ada.http.get("/actors")).json()["items"]
    assert {row["name"] for row in rows} == names | {"service"}
    assert len(rows) == 5


async def test_provision_goes_on_after_the_engine_was_away(
    anyone: httpx.AsyncClient, engine: FakeClient
) -> None:
    account = {"email": "eve@example.org", "password": "correct horse", "name": "Eve"}
    token = (await anyone.post("/auth/register", json=account)).json()["token"]
    anyone.headers["authorization"] = f"Bearer {token}"
    engine.down = True
    failed = await anyone.post("/actors/provision")
    assert (failed.status_code, failed.json()["code"]) == (503, "agent_unavailable")
    assert "retry-after" in failed.headers
    engine.down = False
    assert (await anyone.post("/actors/provision")).status_code == 200


async def test_a_token_of_an_account_that_is_gone_is_refused(
    anyone: httpx.AsyncClient, services: Services
) -> None:
    token = services.tokens.issue(Principal("usr_gone", "gone@example.org", "Gone")).text
    answer = await anyone.post("/actors/provision", headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def test_the_registry_shows_the_whole_family(ada: Person) -> None:
    mine = (await ada.http.get("/actors/me")).json()
    assert mine == ada.actor
    family = (await ada.http.get("/actors")).json()["items"]
    assert [agent["name"] for agent in family] == ["grow", "coding", "quest", "repo"]
    assert {agent["parent_id"] for agent in family[1:]} == {mine["id"]}
    assert mine["entitlement"]["plan"] == "self-hosted"
    assert mine["workspace_path"] == f"workspaces/{ada.user_id}/{mine['id']}"
    assert (await ada.http.get(f"/actors/{family[1]['id']}")).json() == family[1]


async def test_a_message_is_taken_once_for_one_key(ada: Person, engine: FakeClient) -> None:
    url = f"/actors/{ada.actor['id']}/message"
    key = {"idempotency-key": "k-1"}
    first = await ada.http.post(url, json={"text": "hello"}, headers=key)
    again = await ada.http.post(url, json={"text": "hello"}, headers=key)
    other = await ada.http.post(url, json={"text": "hello"})
    assert first.status_code == again.status_code == other.status_code == 202
    assert first.json() == again.json() != other.json()
    assert [other.json()["seq"], len(engine.agents[ada.actor["id"]].log)] == [2, 2]


async def test_bad_messages_change_nothing(ada: Person, engine: FakeClient) -> None:
    url = f"/actors/{ada.actor['id']}/message"
    for text, code in [
        ("", "message_empty"),
        (" \n\t", "message_empty"),
        ("x" * 32_001, "message_too_long"),
        ("🌱" * 20_000, "message_too_long"),
    ]:
        answer = await ada.http.post(url, json={"text": text})
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    bad_key = await ada.http.post(url, json={"text": "x"}, headers={"idempotency-key": "x" * 201})
    assert bad_key.status_code == 422
    assert engine.agents[ada.actor["id"]].log == []


async def test_stopped_agents_take_no_messages_until_started(ada: Person) -> None:
    url = f"/actors/{ada.actor['id']}"
    assert (await ada.http.post(f"{url}/stop")).json()["status"] == "stopped"
    refused = await ada.http.post(f"{url}/message", json={"text": "hello"})
    assert (refused.status_code, refused.json()["code"]) == (409, "agent_stopped")
    assert (await ada.http.get(url)).json()["status"] == "stopped"
    assert (await ada.http.post(f"{url}/start")).json()["status"] == "running"
    assert (await ada.http.post(f"{url}/message", json={"text": "hello"})).status_code == 202


async def test_without_entitlement_agents_do_not_start(
    ada: Person, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unpaid(user_id: str) -> Entitlement:
        return Entitlement(False, "pro", "past_due", "The last payment failed.")

    monkeypatch.setattr(services.entitlements, "check", unpaid)
    for path, body in [("start", None), ("message", {"text": "hello"})]:
        answer = await ada.http.post(f"/actors/{ada.actor['id']}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (402, "entitlement_required")


async def test_events_come_as_a_page_of_json(ada: Person) -> None:
    url = f"/actors/{ada.actor['id']}"
    for number in range(3):
        await ada.http.post(f"{url}/message", json={"text": f"message {number}"})
    json = {"accept": "application/json"}
    page = (await ada.http.get(f"{url}/events?after=1&limit=1", headers=json)).json()
    assert [event["seq"] for event in page["items"]] == [2]
    assert page["after"] == 2
    empty = (await ada.http.get(f"{url}/events?after=3", headers=json)).json()
    assert empty == {"items": [], "after": 3}


async def test_activity_is_recorded(ada: Person, services: Services) -> None:
    async with services.db.session() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(update(ActorRow).values(last_activity_at=long_ago))
    before = (await ada.http.get("/actors/me")).json()["last_activity_at"]
    await ada.http.post(f"/actors/{ada.actor['id']}/message", json={"text": "hello"})
    assert (await ada.http.get("/actors/me")).json()["last_activity_at"] > before
