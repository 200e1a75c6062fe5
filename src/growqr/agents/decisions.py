"""What a user's answer about a conflict says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["target", "source", "both"]
OPTIONS = ("keep mine", "keep yours", "both")
_ANSWERS: tuple[tuple[re.Pattern[str], Side], ...] = (
    (re.compile(r"(please )?(keep )?(both|both of them|both versions)"), "both"),
    (re.compile(r"(please )?(keep |take )?(mine|my version|my own)"), "target"),
    (re.compile(r"(please )?(keep |take )?(yours|your version)"), "source"),
)
_SIDES = {"target": "the user's version", "source": "the agent's version", "both": "both versions"}
_BLOCK = re.compile(r"```[^\n]*\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Decision:
    """What a user's answer says; `text` is what the one file shall hold."""

    prefer: Side
    text: str | None = None

    def in_words(self) -> str:
        return "the user's own words" if self.text is not None else _SIDES[self.prefer]


def decided(text: str, paths: Sequence[str]) -> Decision | None:
    """Return what an answer says; None when it says nothing that can be carried out."""
    block = _BLOCK.search(text)
    if block is not None and len(paths) == 1:
        return Decision("target", block["text"])
    side = side_in(text)
    return Decision(side) if side is not None else None


def side_in(text: str) -> Side | None:
    """Return the side that a message names and says nothing else; None: it is about other things.

    In a code block may stand a wish as well as an answer, so it tells neither.
    """
    words = " ".join(re.sub(r"[^a-z ]", " ", text.casefold()).split())
    return next((side for pattern, side in _ANSWERS if pattern.fullmatch(words)), None)
