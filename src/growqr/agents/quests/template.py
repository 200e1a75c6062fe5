"""Text with `{name}` in it: all that a quest's YAML can compute.

`{name}` stands for an answer, `{name:filter}` for a made-safe form of it, `{{` and `}}` for
braces. Nothing else of Python's format language is understood, so a template can't reach into
objects.
"""

import json
import re
from collections.abc import Callable, Mapping
from string import Formatter

MAX_SLUG_CHARS = 48


class TemplateInvalid(ValueError):
    """A template that would not render; the text says where it is wrong."""


def slug(text: str) -> str:
    """Return a file name made of `a-z`, `0-9` and single dashes; `untitled` if nothing is left."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.casefold())[:MAX_SLUG_CHARS].strip("-")
    return plain or "untitled"


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def quoted(text: str) -> str:
    """Return it as a Markdown quote, so that no line of it can be taken for ours."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


FILTERS: Mapping[str, Callable[[str], str]] = {
    "slug": slug,
    "line": one_line,
    "quote": quoted,
    "json": json.dumps,
    "json_slug": lambda text: json.dumps(slug(text)),
    "json_line": lambda text: json.dumps(one_line(text)),
}
"""`json…` gives a double-quoted string that YAML and Python read back as the same text."""


def names_in(template: str) -> set[str]:
    """Return the names that a template uses.

    Raises:
        TemplateInvalid: a stray brace, an unknown filter, or more than a plain name.
    """
    return {name for _, name, _ in _parse(template) if name is not None}


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill in a template; a missing name raises KeyError (the loader has ruled that out)."""
    parts: list[str] = []
    for literal, name, filter_name in _parse(template):
        parts.append(literal)
        if name is not None:
            value = values[name]
            parts.append(FILTERS[filter_name](value) if filter_name else value)
    return "".join(parts)


def _parse(template: str) -> list[tuple[str, str | None, str | None]]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise TemplateInvalid(f"{error} in {template[:80]!r}") from None
    result: list[tuple[str, str | None, str | None]] = []
    for literal, name, filter_name, conversion in parsed:
        if name is not None:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or conversion:
                raise TemplateInvalid(f"`{{{name}}}` is not a plain name in {template[:80]!r}")
            if filter_name and filter_name not in FILTERS:
                known = ", ".join(FILTERS)
                raise TemplateInvalid(f"`{filter_name}` is not one of the filters {known}")
        result.append((literal, name, filter_name or None))
    return result
