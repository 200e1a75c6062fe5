"""Whatever comes in, the answer is a 4xx problem with a code, and nothing changes."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.conftest import Person
from tests.api.fake_engine import FakeClient

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"text": ', JSON, 400, "invalid_json"),
        (b'{"text": "\xff\xfe"}', JSON, 400, "invalid_input"),
        (b"[" * 100_000, JSON, 400, "invalid_input"),
        (b"", JSON, 422, "invalid_input"),
        (b"null", JSON, 422, "invalid_input"),
        (b'["text"]', JSON, 422, "invalid_input"),
        (b"{}", JSON, 422, "invalid_input"),
        (b'{"text": 5}', JSON, 422, "invalid_input"),
        (b'{"text": "\\ud800"}', JSON, 422, "invalid_input"),
        (b'{"text": "hello"}', {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"text": "hello"}', {}, 415, "unsupported_media_type"),
        (b"text=hello", {"content-type": "application/x-www-form-urlencoded"}, 415, None),
        (b'{"text": "' + b"x" * 1024 * 1024 + b'"}', JSON, 413, "too_large"),
    ],
)
async def test_bad_bodies(
    ada: Person,
    engine: FakeClient,
    content: bytes,
    headers: dict[str, str],
    status: int,
    code: str | None,
) -> None:
    url = f"/actors/{ada.actor['id']}/message"
    answer = await ada.http.post(url, content=content, headers=headers)
    assert_problem(answer, status, code or "unsupported_media_type")
    assert engine.agents[ada.actor["id"]].log == []


async def test_a_body_without_a_length_is_counted(ada: Person, engine: FakeClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(200):
            yield b"x" * 10_000

    url = f"/actors/{ada.actor['id']}/message"
    answer = await ada.http.post(url, content=endless(), headers=JSON)
    assert_problem(answer, 413, "too_large")
    assert engine.agents[ada.actor["id"]].log == []


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/actors/", 404, "not_found"),
        ("DELETE", "/actors/me", 405, "method_not_allowed"),
        ("GET", "/actors/act_unknown", 404, "not_found"),
        ("GET", "/actors/..%2f..%2fetc%2fpasswd", 404, "not_found"),
        ("GET", "/actors/act%00", 422, "invalid_input"),
        ("GET", "/actors/" + "x" * 65, 422, "invalid_input"),
        ("GET", "/tasks?limit=0", 422, "invalid_input"),
        ("GET", "/tasks?limit=201", 422, "invalid_input"),
        ("GET", "/tasks?status=unknown", 422, "invalid_input"),
        ("GET", "/tasks?cursor=%21", 400, "cursor_invalid"),
        ("GET", "/tasks?cursor=bnVsbA", 400, "cursor_invalid"),
        ("GET", "/tasks?cursor=WzFd", 400, "cursor_invalid"),
        ("GET", "/tasks/../actors/..%5c", 422, "invalid_input"),
        ("POST", "/quests/no-such-quest/start", 404, "not_found"),
        ("POST", "/quests/NO/start", 422, "invalid_input"),
        ("GET", "/assets/../../settings.py", 404, "not_found"),
        ("POST", "/billing/checkout", 409, "billing.self_hosted"),
    ],
)
async def test_bad_addresses(ada: Person, method: str, url: str, status: int, code: str) -> None:
    assert_problem(await ada.http.request(method, url), status, code)


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("?after=-1", {}, 422, "invalid_input"),
        ("?after=one", {}, 422, "invalid_input"),
        ("?after=99999999999999999999", {}, 400, "invalid_input"),
        ("?after=5", {}, 400, "cursor_ahead"),
        ("", {"last-event-id": "x"}, 422, "invalid_input"),
    ],
)
async def test_bad_places_in_a_stream(
    ada: Person, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await ada.http.get(f"/actors/{ada.actor['id']}/events{query}", headers=headers)
    assert_problem(answer, status, code)


async def test_an_error_of_ours_shows_nothing_of_the_inside(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("growqr.api.routes.quests.load_quests", lambda: 1 / 0)
    answer = await ada.http.get("/quests")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "division" not in answer.text
