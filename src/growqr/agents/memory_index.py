"""Full text over the Markdown of a repository, kept per head commit.

A new head costs reading only the files that changed. Ranking is BM25 (Robertson and Zaragoza,
"The Probabilistic Relevance Framework: BM25 and Beyond", 2009) with titles counted thrice.
"""

import asyncio
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from growqr.agents import front_matter
from growqr.git.forge import BranchNotFound, Forge, RepoRef, TreeEntry

MAX_FILE_BYTES = 200 * 1024
"""Longer files are listed, but not read for titles and search."""
MAX_TOTAL_BYTES = 4 * 1024 * 1024
MAX_FILES = 5_000
_REPOS = 32
_TITLE_WEIGHT = 3
_SNIPPET_CHARS = 200
_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file at the head. `meta` is its front matter; `body` what follows."""

    path: str
    oid: str
    size: int
    title: str
    meta: Mapping[str, Any]
    body: str
    terms: Mapping[str, int]
    length: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that matches; a higher score is a better match."""

    path: str
    title: str
    snippet: str
    score: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All Markdown files of one commit, by path."""

    head: str
    documents: Mapping[str, Document]


class MemoryIndex:
    """Keeps the newest snapshot of the repositories in use."""

    def __init__(self, forge: Forge) -> None:
        self._forge = forge
        self._kept: OrderedDict[str, Snapshot] = OrderedDict()

    async def snapshot(self, repo: RepoRef) -> Snapshot:
        """What is in the repository now. Raises RepoNotFound, BranchNotFound."""
        head = await self._forge.head(repo)
        if head is None:
            raise BranchNotFound("the repository has no branch `main`")
        kept = self._kept.get(repo.id)
        if kept is None or kept.head != head:
            kept = Snapshot(head, await self._read(repo, head, kept))
            self._kept[repo.id] = kept
        self._kept.move_to_end(repo.id)
        while len(self._kept) > _REPOS:
            self._kept.popitem(last=False)
        return kept

    async def _read(self, repo: RepoRef, head: str, before: Snapshot | None) -> dict[str, Document]:
        entries = await self._forge.tree(repo, ref=head, recursive=True)
        markdown = [entry for entry in entries if entry.type == "file" and _is_markdown(entry)]
        found: dict[str, Document] = {}
        room = MAX_TOTAL_BYTES
        for entry in markdown[:MAX_FILES]:
            known = before.documents.get(entry.path) if before else None
            if known is not None and known.oid == entry.oid:
                document = known
            else:
                readable = entry.size <= min(room, MAX_FILE_BYTES)
                data = await self._forge.blob(repo, entry.path, ref=head) if readable else b""
                document = await asyncio.to_thread(_document, entry, data)
            room -= len(document.body)
            found[entry.path] = document
        return found


def search(documents: Iterable[Document], query: str, limit: int) -> list[Hit]:
    """The best matches for `query`, best first; equal scores by path."""
    everything = list(documents)
    terms = list(dict.fromkeys(words(query)))[:32]
    wanted = [term for term in terms if term not in _STOP_WORDS] or terms
    average = sum(document.length for document in everything) / max(len(everything), 1) or 1.0
    holding = {term: sum(term in document.terms for document in everything) for term in wanted}
    scored = [
        (_score(document, wanted, holding, len(everything), average), document)
        for document in everything
    ]
    best = sorted((item for item in scored if item[0] > 0), key=lambda i: (-i[0], i[1].path))
    return [
        Hit(document.path, document.title, snippet(document.body, wanted), round(score, 4))
        for score, document in best[:limit]
    ]


def _score(
    document: Document,
    terms: Sequence[str],
    holding: Mapping[str, int],
    count: int,
    average: float,
) -> float:
    total = 0.0
    for term in terms:
        frequency = document.terms.get(term, 0)
        if frequency:
            rarity = math.log(1 + (count - holding[term] + 0.5) / (holding[term] + 0.5))
            damping = _K1 * (1 - _B + _B * document.length / average)
            total += rarity * frequency * (_K1 + 1) / (frequency + damping)
    return total


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


def _is_markdown(entry: TreeEntry) -> bool:
    return entry.path.lower().endswith((".md", ".markdown"))


def _document(entry: TreeEntry, data: bytes) -> Document:
    meta, body = front_matter.split(data.decode(errors="replace"))
    title = front_matter.title_of(entry.path, meta, body)
    terms = Counter(words(body))
    for word in words(f"{title} {entry.path.removesuffix('.md')}"):
        terms[word] += _TITLE_WEIGHT
    return Document(
        entry.path, entry.oid, entry.size, title, meta, body, terms, sum(terms.values())
    )
