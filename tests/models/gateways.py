"""A gateway between real sockets: a client inside, a provider outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from growqr.models.gateway import ModelGateway
from growqr.settings import ModelSettings

Handler = Callable[[Request], Awaitable[Response]]
CHAT = {"model": "m1", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def provider(handler: Handler) -> AsyncIterator[str]:
    """Serve `handler` on a free port; gives the address."""
    app = Starlette(routes=[Route("/{path:path}", handler, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await serving


def token_of(gateway: ModelGateway, workspace_id: str) -> str:
    [settings] = gateway.opencode_config(workspace_id)["provider"].values()
    return str(settings["options"]["apiKey"])


def keys(token: str) -> dict[str, str]:
    """Return the token where each of the providers' libraries puts a key."""
    bearer = f"Bearer {token}"
    return {"authorization": bearer, "x-api-key": token, "x-goog-api-key": token}


@asynccontextmanager
async def inside(settings: ModelSettings) -> AsyncIterator[tuple[httpx.AsyncClient, ModelGateway]]:
    """Give a client that speaks through the socket of workspace `w1`."""
    gateway = ModelGateway(settings)
    path = await gateway.open("w1")
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    headers = keys(token_of(gateway, "w1"))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers, timeout=60
        ) as client:
            yield client, gateway
    finally:
        await gateway.aclose()
        assert not path.exists()


def compatible(base_url: str) -> ModelSettings:
    return ModelSettings(
        provider="openai-compatible", name="m1", base_url=base_url, api_key=SecretStr("real-key")
    )
