"""Words as search sees them, and the piece of a text around one."""

import re
from collections.abc import Sequence

_SNIPPET_CHARS = 200
_MAX_TERMS = 32


def query_terms(query: str) -> list[str]:
    """Return the words of a query that mean something; all of them if none does."""
    terms = list(dict.fromkeys(words(query)))[:_MAX_TERMS]
    return [term for term in terms if term not in _STOP_WORDS] or terms


def words(text: str) -> list[str]:
    """Words in lower case, singular and plural alike (not always as English spells them)."""
    return [_stem(word) for word in re.findall(r"\w+", text.casefold().replace("'s", ""))]


def _stem(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ie"):  # cities, city; movies, movie
        return word[:-2] + "y"
    if word.endswith(("se", "xe", "ze", "che", "she")):  # boxes, box; houses, house
        return word[:-1]
    return word


_STOP_WORDS = frozenset(
    words(
        "a about am an and any are as at be by can did do does for from had has have how i in is"
        " it know me my of on or our please remember tell that the their this to was we were what"
        " when where which who why will with you your"
    )
)


def snippet(body: str, terms: Sequence[str]) -> str:
    """About 200 characters around the first word that matches, on one line."""
    flat = " ".join(body.split())
    places = [match.start() for match in re.finditer(r"\w+", flat) if _matches(match[0], terms)]
    start = max(0, (places[0] if places else 0) - _SNIPPET_CHARS // 4)
    if start:
        start = flat.find(" ", start) + 1
    text = flat[start : start + _SNIPPET_CHARS]
    return ("…" if start else "") + text + ("…" if start + _SNIPPET_CHARS < len(flat) else "")


def _matches(word: str, terms: Sequence[str]) -> bool:
    return any(found in terms for found in words(word))
