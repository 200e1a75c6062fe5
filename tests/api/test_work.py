"""Channels, tasks, quests and workspaces: thin over their agents."""

import pytest

from growqr.api.services import Services
from growqr.billing.entitlement import Entitlement
from tests.api.conftest import Person
from tests.api.fake_engine import FakeClient

pytestmark = pytest.mark.anyio


async def test_channels_list_and_page_backwards(ada: Person) -> None:
    channels = (await ada.http.get("/channels")).json()["items"]
    assert [(c["name"], c["kind"], c["unread"]) for c in channels] == [
        ("grow", "grow", 0),
        ("coding", "agent", 0),
        ("quest", "agent", 0),
        ("repo", "agent", 0),
    ]
    for number in range(5):
        text = {"text": f"message {number}"}
        await ada.http.post(f"/actors/{ada.actor['id']}/message", json=text)
    url = f"/channels/{channels[0]['id']}/messages"
    newest = (await ada.http.get(f"{url}?limit=3")).json()
    assert [m["text"] for m in newest["items"]] == ["message 2", "message 3", "message 4"]
    older = (await ada.http.get(f"{url}?limit=3&cursor={newest['next_cursor']}")).json()
    assert [m["text"] for m in older["items"]] == ["message 0", "message 1"]
    assert older["next_cursor"] is None
    assert (await ada.http.post(f"/channels/{channels[0]['id']}/read")).status_code == 204


async def test_tasks_page_and_move(ada: Person, engine: FakeClient) -> None:
    grow = engine.agents[ada.actor["id"]]
    for number in range(3):
        grow.add_task(f"tsk_{number}")
    first = (await ada.http.get("/tasks?limit=2")).json()
    rest = (await ada.http.get(f"/tasks?limit=2&cursor={first['next_cursor']}")).json()
    assert [t["id"] for t in first["items"] + rest["items"]] == ["tsk_0", "tsk_1", "tsk_2"]
    for verb, status in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")]:
        assert (await ada.http.post(f"/tasks/tsk_0/{verb}")).json()["status"] == status
    late = await ada.http.post("/tasks/tsk_0/pause")
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    cancelled = (await ada.http.get("/tasks?status=cancelled")).json()["items"]
    assert [t["id"] for t in cancelled] == ["tsk_0"]


async def test_a_quest_starts_once_for_one_key(ada: Person) -> None:
    quests = (await ada.http.get("/quests")).json()["items"]
    assert {"profile", "first-cli-tool", "weekly-review"} <= {quest["key"] for quest in quests}
    url = "/quests/weekly-review/start"
    first = await ada.http.post(url, headers={"idempotency-key": "k"})
    again = await ada.http.post(url, headers={"idempotency-key": "k"})
    assert (first.status_code, first.json()) == (201, again.json())
    assert (await ada.http.get("/quests/runs")).json()["items"] == [first.json()]
    assert (await ada.http.get(f"/quests/runs/{first.json()['id']}")).json() == first.json()


async def test_runs_of_quests_come_in_pages(ada: Person) -> None:
    started = [(await ada.http.post("/quests/weekly-review/start")).json()["id"] for _ in range(3)]
    first = (await ada.http.get("/quests/runs?limit=2")).json()
    rest = (await ada.http.get(f"/quests/runs?limit=2&cursor={first['next_cursor']}")).json()
    assert [run["id"] for run in first["items"] + rest["items"]] == started[::-1]
    assert rest["next_cursor"] is None


async def test_a_workspace_and_its_sessions(ada: Person) -> None:
    workspace = (await ada.http.post("/opencode/provision")).json()["workspace"]
    url = f"/opencode/workspaces/{workspace['id']}"
    assert (await ada.http.get(url)).json() == workspace
    assert (await ada.http.post(f"{url}/start")).json()["status"] == "starting"
    assert (await ada.http.post(f"{url}/stop")).json()["reason"] == "stopped by you"
    assert (await ada.http.get(f"{url}/logs")).json()["items"][0]["text"] == "listening"
    session = await ada.http.post(f"{url}/sessions", json={"title": "A tool"})
    assert session.status_code == 201
    messages = f"/opencode/sessions/{session.json()['id']}/messages"
    key = {"idempotency-key": "k"}
    posted = await ada.http.post(messages, json={"text": "Write it"}, headers=key)
    again = await ada.http.post(messages, json={"text": "Write it"}, headers=key)
    assert (posted.status_code, posted.json()) == (202, again.json())
    events = f"/opencode/sessions/{session.json()['id']}/events"
    page = (await ada.http.get(events, headers={"accept": "application/json"})).json()
    assert [event["type"] for event in page["items"]] == ["task.created"]


async def test_without_entitlement_no_server_starts(
    ada: Person, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unpaid(user_id: str) -> Entitlement:
        return Entitlement(False, "pro", "past_due", "The last payment failed.")

    workspace = (await ada.http.post("/opencode/provision")).json()["workspace"]
    url = f"/opencode/workspaces/{workspace['id']}"
    session = (await ada.http.post(f"{url}/sessions", json={})).json()
    monkeypatch.setattr(services.entitlements, "check", unpaid)
    for path in (f"{url}/start", f"{url}/sessions", f"/opencode/sessions/{session['id']}/messages"):
        answer = await ada.http.post(path, json={"text": "Write it"})
        assert (answer.status_code, answer.json()["code"]) == (402, "entitlement_required")
    assert (await ada.http.post(f"{url}/stop")).status_code == 200


async def test_other_agents_workspaces_hold_no_opencode(ada: Person) -> None:
    answer = await ada.http.get(f"/opencode/workspaces/{ada.actor['workspace_id']}")
    assert answer.status_code == 404
