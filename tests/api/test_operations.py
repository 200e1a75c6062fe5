"""Health, metrics, configuration, request ids, and what is written to the log."""

from dataclasses import replace

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from growqr import __version__
from growqr.api.app_factory import create_api
from growqr.api.services import Services
from tests.api.conftest import PASSWORD, Person

pytestmark = pytest.mark.anyio


async def test_readiness_needs_the_engine(anyone: httpx.AsyncClient) -> None:
    assert (await anyone.get("/healthz")).json() == {"status": "ok"}
    answer = await anyone.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")


async def test_readiness_needs_the_database(services: Services, tmp_path: object) -> None:
    lost = replace(services, db=type(services.db)(f"sqlite:///{tmp_path}/none/none.sqlite"))
    transport = httpx.ASGITransport(create_api(lost))
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    await lost.db.aclose()


async def test_configuration_for_the_web_app(anyone: httpx.AsyncClient) -> None:
    assert (await anyone.get("/config")).json() == {
        "model": {"provider": "offline", "name": "offline", "offline": True},
        "identity": "local",
        "clerk_publishable_key": None,
        "billing": "none",
        "version": __version__,
        "message_chars": 32_000,
    }


async def test_metrics_count_by_route_and_not_by_address(ada: Person) -> None:
    await ada.http.get(f"/actors/{ada.actor['id']}")
    text = (await ada.http.get("/metrics")).text
    line = 'growqr_http_requests_total{method="GET",route="/actors/{actor_id}",status="200"} 1.0'
    assert line in text
    assert ada.actor["id"] not in text


async def test_metrics_keep_no_series_for_a_method_that_was_made_up(ada: Person) -> None:
    await ada.http.request("FOO1", "/actors")
    text = (await ada.http.get("/metrics")).text
    assert 'method="other"' in text
    assert "FOO1" not in text


async def test_a_proxys_request_id_is_kept_unless_it_is_odd(anyone: httpx.AsyncClient) -> None:
    for given, kept in [("abcdefgh-1", True), ("short", False), ('x" onload="y', False)]:
        answer = await anyone.get("/healthz", headers={"x-request-id": given})
        assert (answer.headers["x-request-id"] == given) is kept


async def test_logs_hold_no_secret(anyone: httpx.AsyncClient) -> None:
    account = {"email": "eve@example.org", "password": PASSWORD, "name": "Eve"}
    with structlog.testing.capture_logs() as logs:
        token = (await anyone.post("/auth/register", json=account)).json()["token"]
        await anyone.get("/auth/me?x=query", headers={"authorization": f"Bearer {token}"})
    assert [entry["route"] for entry in logs] == ["/auth/register", "/auth/me"]
    for secret in (PASSWORD, token, "query", "eve@example.org"):
        assert secret not in repr(logs)


async def test_clone_and_push_go_to_their_own_application(services: Services) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def git_app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["path"], scope["path_params"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"refs"})

    transport = httpx.ASGITransport(create_api(services, git_app=git_app))
    async with httpx.AsyncClient(transport=transport, base_url="http://grow.test") as client:
        pushed = await client.post(
            "/git/rep_1/grow.git/git-receive-pack",
            content=b"x" * 2_000_000,
            headers={"content-type": "application/x-git-receive-pack-request"},
        )
        assert pushed.text == "refs"
        assert (await client.get("/git/repos/rep_1")).status_code == 401
    assert [path for path, _ in seen] == ["/git/rep_1/grow.git/git-receive-pack"]
