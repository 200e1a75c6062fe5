"""Markdown with YAML front matter, as memory is kept."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml

_FENCE = "---\n"
_MAX_HEADER_CHARS = 16_000
_MAX_DEPTH = 20
_MAX_INT = 2**63
_BROKEN = (
    yaml.YAMLError,
    # What its constructors raise for values that are not what their tag says.
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)


class _Loader(yaml.SafeLoader):
    """Without references: a few lines of them stand for more than any memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("references are not read")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return front matter and body; what has no (or broken) front matter is all body.

    People write it as they like: what comes out is plain JSON, whatever went in.
    """
    text = text.replace("\r\n", "\n")
    if not text.startswith(_FENCE):
        return {}, text
    end = text.find("\n" + _FENCE, len(_FENCE) - 1, _MAX_HEADER_CHARS)
    if end < 0:
        return {}, text
    try:
        header = yaml.load(text[len(_FENCE) : end + 1], _Loader)  # noqa: S506 (a safe one)
        header = _plain({} if header is None else header)
    except _BROKEN:
        return {}, text
    if not isinstance(header, dict):
        return {}, text
    return header, text[end + 1 + len(_FENCE) :].lstrip("\n")


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


def _plain(value: Any, depth: int = 0) -> Any:
    """Return it as JSON can hold it."""
    if depth > _MAX_DEPTH:
        raise ValueError("too deep")
    match value:
        case dict():
            return {_text(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple() | set():
            return [_plain(inner, depth + 1) for inner in value]
        case int() if abs(value) >= _MAX_INT:  # Python refuses to write long ones in decimals
            return f"{value:#x}"
        case None | bool() | int() | float():
            return value
    return _text(value)


def _text(value: Any) -> str:
    # YAML turns `2026-01-31` into a date; here it is text, as it was written. Its escapes can
    # spell half a character, which nothing can store.
    text = value.isoformat() if isinstance(value, (date, datetime)) else str(value)
    return text.encode(errors="replace").decode()
