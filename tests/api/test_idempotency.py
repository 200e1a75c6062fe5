import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from growqr.api.services import Services
from growqr.db.tables import IdempotencyKey
from tests.api.conftest import PASSWORD, Person

pytestmark = pytest.mark.anyio

KEY = {"idempotency-key": "k-1"}


async def create(person: Person, name: str, **headers: Any) -> httpx.Response:
    return await person.http.post("/git/repos", json={"name": name}, **headers)


async def test_a_repeat_gets_the_first_answer_and_happens_once(ada: Person) -> None:
    first = await create(ada, "tool", headers=KEY)
    again = await create(ada, "tool", headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    without = await create(ada, "tool")
    assert without.status_code == 409
    names = [repo["name"] for repo in (await ada.http.get("/git/repos")).json()["items"]]
    assert sorted(names) == ["grow", "tool"]


async def test_the_same_key_with_another_request_is_refused(ada: Person) -> None:
    await create(ada, "tool", headers=KEY)
    other = await create(ada, "other", headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_keys_of_two_people_do_not_meet(ada: Person, bob: Person) -> None:
    mine = await create(ada, "tool", headers=KEY)
    theirs = await create(bob, "tool", headers=KEY)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_refusals_are_not_kept(ada: Person) -> None:
    refused = await create(ada, "NOT A NAME", headers=KEY)
    assert 400 <= refused.status_code < 500
    assert (await create(ada, "tool", headers=KEY)).status_code == 201


async def test_requests_at_once_with_one_key_happen_once(ada: Person) -> None:
    answers = await asyncio.gather(*(create(ada, "tool", headers=KEY) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_in_progress"


async def test_a_key_whose_process_died_can_be_used_again(ada: Person, services: Services) -> None:
    await create(ada, "tool", headers=KEY)
    async with services.db.session() as session:  # as if it had never been answered
        await session.execute(update(IdempotencyKey).values(status=None, body=""))
    waiting = await create(ada, "tool", headers=KEY)
    assert waiting.json()["code"] == "idempotency_in_progress"
    async with services.db.session() as session:
        long_ago = datetime.now(UTC) - timedelta(minutes=3)
        await session.execute(update(IdempotencyKey).values(created_at=long_ago))
    again = await create(ada, "tool", headers=KEY)
    assert again.json()["code"] == "repo_exists"


async def test_answers_with_a_secret_are_not_kept(ada: Person, services: Services) -> None:
    url = f"/git/repos/{ada.actor['repo_id']}/tokens"
    answer = await ada.http.post(url, json={"scope": "read"}, headers=KEY)
    assert answer.status_code == 201
    async with services.db.session() as session:
        assert (await session.scalars(select(IdempotencyKey))).all() == []


async def test_an_odd_key_is_refused(ada: Person) -> None:
    for key in ("x" * 201, "with space\t"):
        answer = await create(ada, "tool", headers={"idempotency-key": key})
        assert answer.status_code in (400, 422)


async def test_a_key_of_somebody_who_left_is_no_running_request(ada: Person) -> None:
    assert (await ada.http.post("/auth/delete", json={"password": PASSWORD})).status_code == 204
    answer = await create(ada, "tool", headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
