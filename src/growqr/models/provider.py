"""The Grow Agent's language model, as the settings name it."""

from pydantic_ai.models import Model

from growqr.models.offline import OFFLINE_MODEL, offline_model
from growqr.settings import ModelSettings


def build_model(settings: ModelSettings) -> Model:
    """Return the model to use; connects to nothing yet.

    Each provider's library is read only when it is chosen: together they would take half of
    the start and much memory.
    """
    key = settings.api_key.get_secret_value()
    base_url = settings.base_url or None
    match settings.provider:
        case "offline":
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


def is_offline(model: Model) -> bool:
    """Whether `model` is the built-in one that is no intelligence."""
    return model.model_name == OFFLINE_MODEL
