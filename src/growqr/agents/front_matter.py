"""Markdown with YAML front matter, as memory is kept."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml

_FENCE = "---\n"
_MAX_HEADER_CHARS = 16_000


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return front matter and body; what has no (or broken) front matter is all body."""
    text = text.replace("\r\n", "\n")
    if not text.startswith(_FENCE):
        return {}, text
    end = text.find("\n" + _FENCE, len(_FENCE) - 1, _MAX_HEADER_CHARS)
    if end < 0:
        return {}, text
    try:
        header = yaml.safe_load(text[len(_FENCE) : end + 1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    if header is None:
        header = {}
    if not isinstance(header, dict):
        return {}, text
    body = text[end + 1 + len(_FENCE) :].lstrip("\n")
    return {str(key): _plain(value) for key, value in header.items()}, body


def join(header: Mapping[str, Any], body: str) -> str:
    """Return a document; keys keep their order, None is left out."""
    kept = {key: value for key, value in header.items() if value is not None}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000)
    return f"{_FENCE}{text}{_FENCE}\n{body.strip()}\n"


def stamped(meta: Mapping[str, Any], body: str, *, reason: str | None, source: str | None) -> str:
    """Return a document that says when and why it was written.

    `source` is the message that caused it; `reason` None keeps the one that is there.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    header = {**meta, "created": meta.get("created", now), "updated": now, "source": source}
    if reason is not None:
        header["reason"] = reason or None
    return join(header, body)


def one_line(text: str) -> str:
    """The text on one line, at most 500 characters of it."""
    return " ".join(text.split())[:500]


def title_of(path: str, header: Mapping[str, Any], body: str) -> str:
    """The title in the front matter, else the first heading, else the file's name."""
    given = header.get("title")
    if isinstance(given, str) and given.strip():
        return given.strip()[:120]
    for line in body.splitlines()[:40]:
        if line.startswith("#") and line.strip("# "):
            return line.strip("# ")[:120]
    return path.rsplit("/", 1)[-1].removesuffix(".md").replace("-", " ")


def _plain(value: Any) -> Any:
    # YAML turns `2026-01-31` into a date; here it is text, as it was written.
    return value.isoformat() if isinstance(value, (date, datetime)) else value
