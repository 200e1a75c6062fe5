"""Each provider's own API through the gateway."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from growqr.settings import ModelSettings
from tests.models.gateways import inside, provider, token_of
from tests.support import wires
from tests.support.wires import WIRES

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", WIRES)
async def test_each_providers_own_api_passes_unbuffered_and_is_counted(kind: Any) -> None:
    wire, go_on = WIRES[kind], asyncio.Event()
    seen: list[Request] = []
    asked: dict[str, Any] = {"model": "m1", "stream": True, "messages": [], "input": []}
    whole = wires.answer(kind, asked | {"contents": []}, "true")

    async def events() -> AsyncIterator[bytes]:
        yield whole[0]
        await go_on.wait()
        for event in whole[1:]:
            yield event

    async def handler(request: Request) -> Response:
        seen.append(request)
        return StreamingResponse(events(), media_type="text/event-stream")

    async with provider(handler) as url:
        settings = ModelSettings(
            provider=kind,
            name="m1",
            base_url=url if kind == "openai" else url.removesuffix("/v1"),
            api_key=SecretStr("real-key"),
        )
        async with inside(settings) as (client, gateway):
            async with client.stream("POST", wire.path, json=asked) as answer:
                parts = answer.aiter_raw()
                got = await anext(parts)
                assert got == whole[0]  # it arrives although the provider has more to say
                go_on.set()
                got += b"".join([part async for part in parts])
            used = gateway.usage("w1")
    assert got == b"".join(whole)
    assert seen[0].headers[wire.key_header].endswith("real-key")
    assert token_of(gateway, "w1") not in str(seen[0].headers)
    assert (used.input_tokens, used.output_tokens) == (
        wires.COUNTED_INPUT,
        wires.COUNTED_OUTPUT,
    )


@pytest.mark.parametrize(
    ("kind", "path", "header", "given", "called"),
    [
        ("anthropic", "v1/messages", "x-api-key", "", "/v1/messages"),
        ("openai", "v1/responses", "authorization", "/v1", "/v1/responses"),
        (
            "google",
            "v1beta/models/m1:streamGenerateContent?alt=sse",
            "x-goog-api-key",
            "",
            "/v1beta/models/m1:streamGenerateContent",
        ),
    ],
)
async def test_each_provider_gets_its_own_path_and_key(
    kind: Any, path: str, header: str, given: str, called: str
) -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return JSONResponse({})

    async with provider(handler) as url:
        settings = ModelSettings(
            provider=kind,
            name="m1",
            base_url=url.removesuffix("/v1") + given,
            api_key=SecretStr("real-key"),
        )
        async with inside(settings) as (client, gateway):
            assert (await client.post(f"/{path}", json={"model": "m1"})).status_code == 200
            config = gateway.opencode_config("w1")
    assert seen[0].url.path == called
    assert seen[0].headers[header].endswith("real-key")
    assert config["model"] == f"{kind}/m1"
    version = path.partition("/")[0]
    assert config["provider"][kind]["options"]["baseURL"] == f"http://127.0.0.1:9911/{version}"
