import json

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from growqr.api.services import Services
from growqr.identity.principal import Principal
from tests.api.conftest import PASSWORD, Person

pytestmark = pytest.mark.anyio


async def test_anybody_can_read_the_public_keys(
    anyone: httpx.AsyncClient, ada: Person, services: Services
) -> None:
    answer = await anyone.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = KeySet.import_key_set(answer.json())
    token = services.tokens.issue(Principal(ada.user_id, "ada@example.org", "Ada")).text
    assert jwt.decode(token, keys, algorithms=["Ed25519"]).claims["sub"] == ada.user_id
    assert '"d"' not in answer.text


async def test_tokens_of_our_parts_open_nothing(
    anyone: httpx.AsyncClient, ada: Person, services: Services
) -> None:
    tokens = services.tokens
    for token in (
        tokens.for_agents("api"),
        tokens.for_service(user_id=ada.user_id, actor_id="act_1", audience="x", scope="x:y"),
    ):
        answer = await anyone.get("/auth/me", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


ADA = {"email": "ada@example.org", "password": PASSWORD, "name": " Ada "}


async def test_register_log_in_refresh_log_out(anyone: httpx.AsyncClient) -> None:
    made = await anyone.post("/auth/register", json=ADA)
    assert made.status_code == 201
    user = made.json()["user"]
    assert user["id"].startswith("usr_")
    assert (user["email"], user["name"]) == ("ada@example.org", "Ada")

    login = (await anyone.post("/auth/login", json=ADA)).json()
    renewed = await anyone.post("/auth/refresh", json={"refresh_token": login["refresh_token"]})
    assert renewed.status_code == 200
    bearer = {"authorization": f"Bearer {renewed.json()['token']}"}
    assert (await anyone.get("/auth/me", headers=bearer)).json() == user

    newest = {"refresh_token": renewed.json()["refresh_token"]}
    assert (await anyone.post("/auth/logout", json=newest)).status_code == 204
    refused = await anyone.post("/auth/refresh", json=newest)
    assert (refused.status_code, refused.json()["code"]) == (401, "refresh_refused")


async def test_a_taken_address_is_a_conflict(anyone: httpx.AsyncClient, ada: Person) -> None:
    answer = await anyone.post("/auth/register", json=ADA)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    "change",
    [
        {"password": "short"},
        {"password": "x" * 257},
        {"name": "  "},
        {"name": "A\nB"},
        {"name": "nul\x00"},
        {"name": "\ud800"},
        {"email": 5},
        {"email": "a" * 300},
    ],
)
async def test_bad_registrations_are_refused_without_echoing_the_password(
    anyone: httpx.AsyncClient, change: dict[str, object]
) -> None:
    body = json.dumps({**ADA, **change})
    kind = {"content-type": "application/json"}
    answer = await anyone.post("/auth/register", content=body, headers=kind)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert str(change.get("password", PASSWORD)) not in answer.text


async def test_wrong_password_and_unknown_account_answer_alike(
    anyone: httpx.AsyncClient, ada: Person
) -> None:
    wrong = await anyone.post("/auth/login", json={**ADA, "password": "not this one"})
    unknown = await anyone.post("/auth/login", json={**ADA, "email": "eve@example.org"})
    assert wrong.status_code == unknown.status_code == 401
    mine, theirs = wrong.json(), unknown.json()
    mine.pop("request_id"), theirs.pop("request_id")
    assert mine == theirs


async def test_guessing_is_slowed_down(anyone: httpx.AsyncClient, ada: Person) -> None:
    for _ in range(10):
        await anyone.post("/auth/login", json={**ADA, "password": "not this one"})
    answer = await anyone.post("/auth/login", json=ADA)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert int(answer.headers["retry-after"]) > 0
