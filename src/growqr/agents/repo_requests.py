"""What the repo agent understands without a model: one request a line."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MAX_REQUESTS = 20
MAX_LINE_CHARS = 400


@dataclass(frozen=True)
class CreateProject:
    name: str
    description: str = ""


@dataclass(frozen=True)
class CreateBranch:
    name: str
    repo: str | None = None
    """None: the user's primary repository; the same for all requests."""
    at: str | None = None
    """A branch or SHA; None: the default branch."""


@dataclass(frozen=True)
class OpenPullRequest:
    branch: str
    title: str
    repo: str | None = None


@dataclass(frozen=True)
class Show:
    """List something; `repo` and `branch` only narrow what has them."""

    what: Literal["repos", "branches", "commits", "pull requests"]
    repo: str | None = None
    branch: str | None = None


Request = CreateProject | CreateBranch | OpenPullRequest | Show

_NAME = r"[`'\"]?(?P<{0}>[\w][\w./-]*[\w]|\w)[`'\"]?"
_REPO_WORD = r"(?:repo(?:sitory)?|project)"
_IN_REPO = (
    rf"(?:\s+(?:in|on|of|for)\s+(?:my\s+|the\s+)?(?:{_REPO_WORD}\s+)?{_NAME.format('repo')}"
    rf"(?:\s+{_REPO_WORD})?)?"
)
_TEXT = (
    r"(?:\s*(?::|—|-{1,2}|,?\s+(?:titled|called|with the title|described as|for|to))"
    r"\s*(?P<text>.+?))?"
)
_END = r"\s*[.!]?$"
_MAKE = r"(?:please\s+)?(?:create|make|start|add|set up)\s+(?:me\s+)?(?:a\s+)?(?:new\s+)?"
_OPEN = r"(?:please\s+)?(?:open|create|make)\s+(?:a\s+)?(?:new\s+)?"
_SHOW = (
    r"(?:please\s+)?(?:list|show|what are|which)\s+(?:me\s+)?(?:all\s+)?(?:of\s+)?(?:my\s+|the\s+)?"
)

_Make = Callable[[dict[str, str | None]], Request]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_RULES: tuple[tuple[re.Pattern[str], _Make], ...] = (
    (
        _pattern(
            rf"{_MAKE}{_REPO_WORD}\s+(?:called\s+|named\s+)?{_NAME.format('name')}{_TEXT}{_END}"
        ),
        lambda found: CreateProject(found["name"] or "", found["text"] or ""),
    ),
    (
        _pattern(
            rf"{_MAKE}branch\s+(?:called\s+|named\s+)?{_NAME.format('name')}{_IN_REPO}"
            rf"(?:\s+(?:from|at)\s+{_NAME.format('at')})?{_END}"
        ),
        lambda found: CreateBranch(found["name"] or "", found["repo"], found["at"]),
    ),
    (
        _pattern(
            rf"{_OPEN}(?:pull[\s-]request|pr)\s+(?:from|for)\s+(?:branch\s+|the branch\s+)?"
            rf"{_NAME.format('branch')}{_IN_REPO}{_TEXT}{_END}"
        ),
        lambda found: OpenPullRequest(
            found["branch"] or "", found["text"] or f"Merge {found['branch']}", found["repo"]
        ),
    ),
    (
        _pattern(rf"{_SHOW}(?:repos|repositories|projects){_END}|(?:repo\s+)?status{_END}"),
        lambda _found: Show("repos"),
    ),
    (
        _pattern(rf"{_SHOW}branches{_IN_REPO}{_END}"),
        lambda found: Show("branches", found["repo"]),
    ),
    (
        _pattern(rf"{_SHOW}(?:pull[\s-]requests|prs){_IN_REPO}{_END}"),
        lambda found: Show("pull requests", found["repo"]),
    ),
    (
        _pattern(
            rf"{_SHOW}(?:latest\s+|last\s+|recent\s+)?(?:commits|history){_IN_REPO}"
            rf"(?:\s+(?:on|from)\s+branch\s+{_NAME.format('branch')})?{_END}"
        ),
        lambda found: Show("commits", found["repo"], found["branch"]),
    ),
)

HELP = """I understand one of these a line:

- `create a project NAME: what it is for`
- `create branch NAME in REPO`, or `… from OTHER-BRANCH`
- `open a pull request from BRANCH in REPO: title`
- `list repos`, `list branches in REPO`, `list commits in REPO`, `list pull requests in REPO`

Without `in REPO` I take your own repository."""


def parse_request(line: str) -> Request | None:
    """Return what one line asks for, or None if it is not understood."""
    line = re.sub(r"^\s*(?:[-*]|\d+[.)])\s+", "", line).strip()
    if len(line) > MAX_LINE_CHARS:
        return None
    for pattern, make in _RULES:
        if found := pattern.fullmatch(line):
            return make(found.groupdict())
    return None


def parse_requests(prompt: str) -> tuple[list[Request], list[str]]:
    """Return the requests of a prompt in order, and the lines that were not understood."""
    lines = [line for line in prompt.splitlines() if line.strip()][:MAX_REQUESTS]
    requests: list[Request] = []
    unknown: list[str] = []
    for line in lines:
        request = parse_request(line)
        if request is None:
            unknown.append(line.strip())
        else:
            requests.append(request)
    return requests, unknown
