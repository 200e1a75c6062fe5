import asyncio

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelConnectionError

from growqr.models.provider import LanguageModel, build_model
from growqr.settings import ModelSettings
from tests.support.scripted_model import Say, serve


@pytest.mark.parametrize("provider", ["anthropic", "openai", "google"])
def test_hosted_providers_get_the_named_model(provider: str) -> None:
    model = build_model(_settings(provider))
    assert model.model_name == "m-1"
    assert model.system == provider


@pytest.mark.anyio
@pytest.mark.parametrize(("provider", "name"), [("offline", "offline"), ("anthropic", "m-1")])
async def test_the_model_is_known_before_it_is_loaded_and_loaded_once(
    provider: str, name: str
) -> None:
    settings = _settings(provider) if provider != "offline" else ModelSettings()
    model = LanguageModel(settings)
    assert model.name == name
    assert model.offline == (provider == "offline")
    assert not model.loaded
    first, second = await asyncio.gather(model.load(), model.load())
    assert model.loaded
    assert first is second
    assert first.model_name == name


@pytest.mark.anyio
async def test_any_openai_compatible_address_serves() -> None:
    with serve(lambda _: Say("hello from afar")) as server:
        settings = _settings("openai-compatible", base_url=server.base_url)
        result = await Agent(build_model(settings)).run("hi")
        assert result.output == "hello from afar"
        assert server.keys == {"k-1"}


@pytest.mark.anyio
async def test_a_server_that_does_not_answer_is_an_error_of_the_model() -> None:
    with serve(lambda _: Say("")) as server:
        gone = server.base_url
    model = build_model(_settings("openai-compatible", base_url=gone))
    with pytest.raises(ModelConnectionError):
        await Agent(model).run("hi")


def _settings(provider: str, **more: str) -> ModelSettings:
    given = {"provider": provider, "name": "m-1", "api_key": "k-1"}
    return ModelSettings.model_validate(given | more)
