"""What the gateway lets through, and what not."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from growqr.models.gateway import ModelGateway
from growqr.settings import ModelSettings
from tests.models.gateways import CHAT, compatible, inside, keys, provider, token_of

pytestmark = pytest.mark.anyio


async def test_adds_the_key_and_drops_what_came_from_inside() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        assert await request.json() == CHAT
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return JSONResponse({"usage": usage}, headers={"set-cookie": "a=b", "retry-after": "5"})

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        answer = await client.post(
            "/v1/chat/completions?alt=sse&secret=1",
            json=CHAT,
            headers={"x-api-key": "x", "cookie": "c=d"},
        )
        assert answer.status_code == 200
        assert answer.headers["retry-after"] == "5"
        assert "set-cookie" not in answer.headers
        [request] = seen
        assert request.url.path == "/v1/chat/completions"
        assert request.headers["authorization"] == "Bearer real-key"
        assert not {"x-api-key", "cookie"} & set(request.headers)
        assert dict(request.query_params) == {"alt": "sse"}
        usage = gateway.usage("w1")
        assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 7, 3)
        assert "real-key" not in json.dumps(gateway.opencode_config("w1"))


async def test_streams_chunk_by_chunk() -> None:
    go_on = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"usage":{"prompt_tok'
        await go_on.wait()
        yield b'ens": 11, "completion_tokens": 2}}\n\n'

    async def handler(_: Request) -> Response:
        return StreamingResponse(chunks(), media_type="text/event-stream")

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        async with client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            parts = answer.aiter_raw()
            first = await anext(parts)  # arrives although the provider has not finished
            go_on.set()
            rest = b"".join([part async for part in parts])
        assert (first + rest).endswith(b'"completion_tokens": 2}}\n\n')
        assert gateway.usage("w1").input_tokens == 11


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/files", CHAT, 403),
        ("POST", "/v1/../admin/keys", CHAT, 403),
        ("POST", "/v1/responses", CHAT, 403),
        ("POST", "/chat/completions", CHAT, 403),
        ("GET", "/v1/chat/completions", None, 403),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "dearer"}, 403),
        ("POST", "/v1/chat/completions", ["not", "an", "object"], 400),
    ],
)
async def test_other_calls_are_refused_and_do_not_get_out(
    method: str, path: str, body: Any, status: int
) -> None:
    asked = 0

    async def handler(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response()

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        answer = await client.request(method, path, json=body)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]
        assert asked == 0


async def test_the_providers_error_comes_through() -> None:
    async def handler(_: Request) -> Response:
        return JSONResponse({"error": {"message": "slow down"}}, status_code=429)

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        answer = await client.post("/v1/chat/completions", json=CHAT)
        assert answer.status_code == 429
        assert answer.json() == {"error": {"message": "slow down"}}


async def test_an_absent_provider_is_a_bad_gateway() -> None:
    with socket.socket() as silent:  # its port is taken, and nobody listens there
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        async with inside(compatible(url)) as (client, _):
            answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 502
    assert "does not answer" in answer.json()["error"]["message"]


async def test_a_body_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growqr.models.gateway._BODY_BYTES", 1000)
    async with inside(ModelSettings()) as (client, _):
        answer = await client.post("/v1/chat/completions", content=b" " * 2000)
        assert answer.status_code == 413


async def test_at_most_so_many_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growqr.models.gateway._AT_ONCE", 1)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def handler(_: Request) -> Response:
        arrived.set()
        await go_on.wait()
        return JSONResponse({})

    async with provider(handler) as url, inside(compatible(url)) as (client, _):
        first = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
        await arrived.wait()
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 429
        go_on.set()
        assert (await first).status_code == 200
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_requests_that_come_together_are_too_many_before_their_bodies_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("growqr.models.gateway._AT_ONCE", 2)
    body = json.dumps(CHAT).encode()

    async def handler(_: Request) -> Response:
        return JSONResponse({})

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json"
            f"\r\nauthorization: {client.headers['authorization']}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        path = await gateway.open("w1")
        callers = [await asyncio.open_unix_connection(path) for _ in range(6)]
        for _, writer in callers:
            writer.write(head.encode())
        answers = [asyncio.create_task(reader.readline()) for reader, _ in callers]
        refused = asyncio.as_completed(answers)
        assert [(await next(refused)).split()[1] for _ in range(4)] == [b"429"] * 4
        for _, writer in callers:
            writer.write(body)
        status = sorted([(await answer).split()[1] for answer in answers])
        assert status == [b"200"] * 2 + [b"429"] * 4
        for _, writer in callers:
            writer.close()
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_offline_it_answers_by_itself() -> None:
    async with inside(ModelSettings()) as (client, gateway):
        body = {"model": "offline", "tools": [{}], "messages": CHAT["messages"]}
        whole = await client.post("/v1/chat/completions", json=body)
        assert "(offline model)" in whole.json()["choices"][0]["message"]["content"]
        streamed = await client.post("/v1/chat/completions", json={**body, "stream": True})
        assert streamed.headers["content-type"].startswith("text/event-stream")
        assert streamed.text.endswith("data: [DONE]\n\n")
        assert (await client.get("/v1/models")).json()["data"][0]["id"] == "offline"
        assert gateway.usage("w1").requests == 3
        assert gateway.usage("other").requests == 0


@pytest.mark.parametrize("given", ["none", "other's", "real"])
async def test_only_its_own_workspaces_token_opens_a_socket(given: str) -> None:
    asked = 0

    async def handler(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return JSONResponse({})

    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        await gateway.open("w2")
        tokens = {"none": "not-needed", "other's": token_of(gateway, "w2"), "real": "real-key"}
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
            answer = await client.request(method, path, json=CHAT, headers=keys(tokens[given]))
            assert answer.status_code == 401
        assert asked == 0
        assert token_of(gateway, "w1") != tokens["other's"]
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_no_prompt_and_no_key_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    async def handler(_: Request) -> Response:
        return JSONResponse({"error": {"message": "a-secret-prompt"}}, status_code=500)

    prompt = {**CHAT, "messages": [{"role": "user", "content": "a-secret-prompt"}]}
    async with provider(handler) as url, inside(compatible(url)) as (client, gateway):
        token = token_of(gateway, "w1")
        assert (await client.post("/v1/chat/completions", json=prompt)).status_code == 500
        assert (await client.post("/v1/a-secret-prompt", json=prompt)).status_code == 403
    unreachable = compatible("http://127.0.0.1:1/v1")
    async with inside(unreachable) as (client, _):
        assert (await client.post("/v1/chat/completions", json=prompt)).status_code == 502
    printed = "".join(capfd.readouterr())
    assert "upstream_unreachable" in printed
    for secret in ("a-secret-prompt", "real-key", token):
        assert secret not in printed


async def test_each_workspace_has_its_own_socket_until_it_is_closed() -> None:
    gateway = ModelGateway(ModelSettings())
    try:
        first, second = await gateway.open("w1"), await gateway.open("w2")
        assert first != second
        assert await gateway.open("w1") == first
        assert first.parent.stat().st_mode & 0o077 == 0
        await gateway.close("w1")
        await gateway.close("w1")
        assert (first.exists(), second.exists()) == (False, True)
    finally:
        await gateway.aclose()
