"""The service agent on a real engine, with a model that calls its tools."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.messages import ToolReturnPart as Returned
from pydantic_ai.models.function import AgentInfo, FunctionModel
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from growqr.agents.service_requests import ServiceRequest, help_on, parse_requests
from growqr.billing.usage import UsageLog, today
from growqr.db.tables import ActorRow
from growqr.settings import BackingService
from tests.support.household import household
from tests.support.stripe_server import serve

pytestmark = pytest.mark.anyio


def shop(url: str) -> BackingService:
    return BackingService.model_validate(
        {
            "name": "tea-shop",
            "url": url,
            "operations": [
                {"name": "order", "method": "POST", "path": "/orders", "description": "Order tea."},
                {"name": "order_status", "path": "/orders/{number}"},
            ],
        }
    )


@pytest.fixture
def orders() -> Iterator[tuple[list[str], BackingService]]:
    made: list[str] = []

    async def order(request: Request) -> Response:
        made.append(request.headers["idempotency-key"])
        return JSONResponse({"number": len(made)})

    async def status(request: Request) -> Response:
        return JSONResponse({"number": int(request.path_params["number"]), "sent": True})

    routes = [Route("/orders", order, methods=["POST"]), Route("/orders/{number}", status)]
    with serve(Starlette(routes=routes)) as url:
        yield made, shop(url)


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Order the same tea twice, look at the order, then repeat what the tools said."""
    told = [
        str(part.content)
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, Returned)
    ]
    assert {tool.name for tool in info.function_tools} == {
        "tea_shop_order",
        "tea_shop_order_status",
    }
    if len(told) < 2:
        return ModelResponse([ToolCallPart("tea_shop_order", {"tea": "green"})])
    if len(told) == 2:
        return ModelResponse([ToolCallPart("tea_shop_order_status", {"number": "1"})])
    return ModelResponse([TextPart(" | ".join(told))])


@pytest.mark.live
async def test_the_model_calls_and_the_same_change_is_made_once_a_task(
    tmp_path: Path, engine: str, orders: tuple[list[str], BackingService]
) -> None:
    made, service = orders
    async with household(tmp_path, engine, FunctionModel(script), services=(service,)) as home:
        told = await home.ask("service", "order green tea")
        assert '"sent": true' in told
        assert told.count('"number": 1') == 3
        assert len(made) == 1
        assert (await UsageLog(home.db).on(home.repo.owner_id, today())).model_tokens > 0
        await home.ask("service", "order green tea again")
        assert len(set(made)) == len(made) == 2


@pytest.mark.live
async def test_without_its_capability_or_a_known_request_nothing_is_called(
    tmp_path: Path, engine: str, orders: tuple[list[str], BackingService]
) -> None:
    made, service = orders
    async with household(tmp_path, engine, services=(service,)) as home:
        assert "tea-shop order {…}" in await home.ask("service", "make me some tea")
        assert '"number": 1' in await home.ask("service", "tea-shop order")
        async with home.db.session() as session:
            await session.execute(
                update(ActorRow)
                .where(ActorRow.name == "service")
                .values(capabilities="service.call:other")
            )
        # Rights are read anew at each start of the actor.
        await home.stop()
        await home.start()
        assert "lacks `service.call:tea-shop`" in await home.ask("service", "tea-shop order")
        assert len(made) == 1


def test_requests_are_found_in_sentences_with_their_arguments() -> None:
    services = [shop("http://a.test")]
    text = 'Ask the service tea-shop: order {"tea": "green",\n "grams": 50} and tea-shop to order {'
    assert parse_requests(text, services) == [
        ServiceRequest("tea-shop", "order", {"tea": "green", "grams": 50}),
        ServiceRequest("tea-shop", "order", {}),
    ]
    status = parse_requests('tea-shop order_status {"number": 2}', services)
    assert status == [ServiceRequest("tea-shop", "order_status", {"number": 2})]
    assert parse_requests("order tea at another shop", services) == []
    assert "Order tea." in help_on(services)
