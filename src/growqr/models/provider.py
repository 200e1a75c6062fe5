"""The Grow Agent's language model, as the settings name it.

The libraries that speak with models are a fifth of a process' memory and half of its start: they
are loaded by what needs a model, and by nothing before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from growqr.settings import ModelSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model

OFFLINE_MODEL = "offline"
"""Name of the built-in one that is no intelligence."""


class LanguageModel:
    """The model that a worker's agents use. `given` takes the place of the one in the settings.

    `when_loaded` runs once, in the thread that has loaded its library.
    """

    def __init__(
        self,
        settings: ModelSettings,
        given: Model | None = None,
        *,
        when_loaded: Callable[[], object] = lambda: None,
    ) -> None:
        chosen = OFFLINE_MODEL if settings.provider == "offline" else settings.name
        self.name = given.model_name if given is not None else chosen
        self._settings = settings
        self._model = given
        self._when_loaded = when_loaded
        self._loading = asyncio.Lock()

    @property
    def offline(self) -> bool:
        """Whether it is the built-in one that is no intelligence."""
        return self.name == OFFLINE_MODEL

    @property
    def loaded(self) -> bool:
        return self._model is not None

    async def load(self) -> Model:
        """Return the model; the first time its library is loaded, in a thread: about a second."""
        async with self._loading:
            if self._model is None:
                self._model = await asyncio.to_thread(self._build)
            return self._model

    def _build(self) -> Model:
        model = build_model(self._settings)
        self._when_loaded()
        return model


def build_model(settings: ModelSettings) -> Model:
    """Return the model to use; loads its library, and connects to nothing yet."""
    key = settings.api_key.get_secret_value()
    base_url = settings.base_url or None
    match settings.provider:
        case "offline":
            from growqr.models.offline import offline_model

            return offline_model()
        case "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicModel(
                settings.name, provider=AnthropicProvider(api_key=key, base_url=base_url)
            )
        case "openai":
            from pydantic_ai.models.openai import OpenAIResponsesModel
            from pydantic_ai.providers.openai import OpenAIProvider

            return OpenAIResponsesModel(
                settings.name, provider=OpenAIProvider(api_key=key, base_url=base_url)
            )
        case "google":
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            return GoogleModel(
                settings.name, provider=GoogleProvider(api_key=key, base_url=base_url)
            )
        case "openai-compatible":
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider

            # Local servers often want no key, but the client insists on some text.
            provider = OpenAIProvider(api_key=key or "none", base_url=base_url)
            return OpenAIChatModel(settings.name, provider=provider)
