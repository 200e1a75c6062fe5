"""The example service refuses whatever it should, so that a copy of it does, too."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.qscore.qscore import create_app
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenService
from tests.support.stripe_server import serve

pytestmark = pytest.mark.anyio

ASSESSMENT = {"skill": "go", "answers": [5]}


@pytest.fixture
def growqr(tokens: TokenService) -> Iterator[str]:
    """What the service asks of GrowQR: its keys."""

    async def keys(request: Request) -> Response:
        return JSONResponse(tokens.keys.published())

    with serve(Starlette(routes=[Route("/.well-known/jwks.json", keys)])) as url:
        yield url


@pytest.fixture
async def qscore(growqr: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(growqr))
    async with httpx.AsyncClient(transport=transport, base_url="http://qscore") as client:
        yield client


def token(tokens: TokenService, user: str = "usr_ada", **changed: str) -> str:
    given: dict[str, Any] = {"audience": "qscore", "scope": "qscore:assess"}
    return tokens.for_service(user_id=user, actor_id="act_1", **{**given, **changed})


def read_claims(text: str) -> dict[str, Any]:
    body = text.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


async def assess(qscore: httpx.AsyncClient, bearer: str, key: str = "k") -> httpx.Response:
    headers = {"authorization": f"Bearer {bearer}", "idempotency-key": key}
    return await qscore.post("/assessments", json=ASSESSMENT, headers=headers)


async def latest(qscore: httpx.AsyncClient, bearer: str) -> httpx.Response:
    return await qscore.get("/scores/go", headers={"authorization": f"Bearer {bearer}"})


async def test_a_token_works_once_and_for_its_operation(
    qscore: httpx.AsyncClient, tokens: TokenService
) -> None:
    once = token(tokens)
    assert (await latest(qscore, once)).status_code == 403
    assert (await assess(qscore, once)).json()["score"] == 100
    replayed = await assess(qscore, once)
    assert (replayed.status_code, replayed.json()["detail"]) == (401, "The token was used before.")
    again = await assess(qscore, token(tokens))
    assert again.json()["assessments"] == 1  # the same key is the same assessment


async def test_what_is_somebody_elses_is_not_there(
    qscore: httpx.AsyncClient, tokens: TokenService
) -> None:
    await assess(qscore, token(tokens))
    mine = await latest(qscore, token(tokens, scope="qscore:latest"))
    assert mine.status_code == 200
    other = await latest(qscore, token(tokens, "usr_bob", scope="qscore:latest"))
    assert other.status_code == 404
    same_key = await assess(qscore, token(tokens, "usr_bob"))
    assert same_key.json()["assessments"] == 1


async def test_forged_foreign_and_expired_tokens_are_refused(
    qscore: httpx.AsyncClient, tokens: TokenService, tmp_path: Path
) -> None:
    others = TokenService.open(tmp_path / "others", timedelta(hours=1))
    head, body, _ = token(tokens).split(".")
    _, _, signature = token(tokens, "usr_bob").split(".")
    told = read_claims(token(tokens))
    expired = tokens._sign(told, "qscore", timedelta(seconds=-10)).text
    refused = [
        token(others),
        expired,
        f"{head}.{body}.{signature}",
        token(tokens, audience="another"),
        tokens.issue(Principal("usr_ada", "ada@example.org", "Ada")).text,
        tokens.for_agents("api"),
        "",
    ]
    for bearer in refused:
        assert (await assess(qscore, bearer)).status_code == 401, bearer


async def test_a_new_key_is_read_when_it_is_needed(
    qscore: httpx.AsyncClient, tokens: TokenService
) -> None:
    assert (await assess(qscore, token(tokens))).status_code == 200
    before = token(tokens)
    tokens.keys.rotate(60, ahead=0)
    assert (await assess(qscore, token(tokens), "k2")).status_code == 200
    assert (await assess(qscore, before, "k3")).status_code == 200
