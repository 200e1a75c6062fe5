"""What differs between model providers, as far as the gateway needs to know."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from growqr.models.provider import OFFLINE_MODEL
from growqr.opencode.sandbox import MODEL_PORT
from growqr.settings import ModelSettings

_CONTEXT_TOKENS = 128_000
_OUTPUT_TOKENS = 16_000


@dataclass(frozen=True)
class Kind:
    """One family of model APIs."""

    base_url: str
    version: str
    """Last segment of the base URL; OpenCode's must end in it."""
    key_header: str
    key_prefix: str
    posts: re.Pattern[str]
    """Paths after the base URL that may be posted to; group 1, if any, is the model."""


_OPENAI = re.compile(r"chat/completions|responses")
_KINDS: Mapping[str, Kind] = {
    "openai-compatible": Kind(
        "", "v1", "authorization", "Bearer ", re.compile(r"chat/completions")
    ),
    "openai": Kind("https://api.openai.com/v1", "v1", "authorization", "Bearer ", _OPENAI),
    "anthropic": Kind(
        "https://api.anthropic.com/v1",
        "v1",
        "x-api-key",
        "",
        re.compile(r"messages(?:/count_tokens)?"),
    ),
    "google": Kind(
        "https://generativelanguage.googleapis.com/v1beta",
        "v1beta",
        "x-goog-api-key",
        "",
        re.compile(r"models/([A-Za-z0-9._-]+):(?:streamGenerateContent|generateContent)"),
    ),
}


class Upstream:
    """The provider that the settings name, seen from the gateway."""

    def __init__(self, settings: ModelSettings) -> None:
        offline = settings.provider == "offline"
        self.model = OFFLINE_MODEL if offline else settings.name
        self.kind = _KINDS["openai-compatible" if offline else settings.provider]
        self.base_url = _address(settings, self.kind)
        self._provider = settings.provider
        self._key = settings.api_key.get_secret_value()

    def key_headers(self) -> dict[str, str]:
        """Return the provider's key as it wants it; empty when there is none."""
        return {self.kind.key_header: self.kind.key_prefix + self._key} if self._key else {}

    def key_in(self, headers: Mapping[str, str]) -> str:
        """Return what a request carries where the provider's key belongs."""
        return headers.get(self.kind.key_header, "").removeprefix(self.kind.key_prefix)

    def accepts(self, method: str, path: str) -> bool:
        """Tell whether a sandbox may make this call; `path` comes after the base URL."""
        if method == "GET":
            return path == "models"
        return method == "POST" and self.kind.posts.fullmatch(path) is not None

    def names_model(self, path: str, body: Mapping[str, Any]) -> bool:
        """Tell whether the call is for the configured model, the only one a sandbox may use."""
        match = self.kind.posts.fullmatch(path)
        named = match[1] if match and match.re.groups else body.get("model")
        return named == self.model

    def counted(self, path: str, body: Mapping[str, Any], content: bytes) -> bytes:
        """Return the request so that its streamed answer holds the token counts."""
        if path != "chat/completions" or not body.get("stream"):
            return content  # the others always tell
        asked = body.get("stream_options")
        if isinstance(asked, Mapping) and asked.get("include_usage") is True:
            return content
        return json.dumps({**body, "stream_options": {"include_usage": True}}).encode()

    def opencode_config(self, token: str) -> dict[str, Any]:
        """Return OpenCode's `model` and `provider` settings; `token` stands where a key would."""
        options: dict[str, Any] = {
            "baseURL": f"http://127.0.0.1:{MODEL_PORT}/{self.kind.version}",
            "apiKey": token,
        }
        if self._provider in ("offline", "openai-compatible"):
            provider_id = "gw"
            limits = {"context": _CONTEXT_TOKENS, "output": _OUTPUT_TOKENS}
            provider: dict[str, Any] = {
                "npm": "@ai-sdk/openai-compatible",
                "name": "GrowQR",
                "models": {self.model: {"name": self.model, "tool_call": True, "limit": limits}},
            }
        else:
            provider_id = self._provider
            provider = {"models": {self.model: {}}}  # known or newer than OpenCode's catalogue
        model = f"{provider_id}/{self.model}"
        return {
            "model": model,
            "small_model": model,
            "enabled_providers": [provider_id],
            "provider": {provider_id: {**provider, "options": options}},
        }


def _address(settings: ModelSettings, kind: Kind) -> str:
    """Return the base URL; these providers' own libraries want it without the version."""
    url = (settings.base_url or kind.base_url).rstrip("/")
    if settings.provider in ("anthropic", "google") and not re.search(r"/v\d+[a-z0-9]*$", url):
        return f"{url}/{kind.version}"
    return url
