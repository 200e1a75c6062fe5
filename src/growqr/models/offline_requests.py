"""What the offline model makes of a user's words."""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Say:
    """End the turn with this text."""

    text: str


@dataclass(frozen=True)
class Call:
    """Call a tool; `number` counts the calls of the turn."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    number: int = 1


ABILITIES = """\
- “remember …” writes a note to your memory repository
- “my goal is …” records a goal
- “what do you know about …” searches what I wrote down, “forget …” removes it
- a request that starts with build, write, fix or run goes to the coding agent; give it code \
blocks that name their file and a `run:` line, since it can't invent code without a model
- “create a project NAME: DESCRIPTION”, branches and pull requests go to the repo agent
- “call the service NAME …” goes to the service agent, where services are set up
- “list quests” and “start the … quest”
- “task status”"""

CONFIGURE = (
    "To have a real conversation, set `GROWQR_MODEL__PROVIDER` (anthropic, openai, google or "
    "openai-compatible), `GROWQR_MODEL__NAME` and `GROWQR_MODEL__API_KEY`, then start again."
)

_POLITE = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|please|grow|now|then|can you|could you|would you|will you"
    r"|i want you to|i'd like you to)\b[\s,!:]*)+",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|evening|day)|help|thanks?)\b", re.IGNORECASE
)
_REMEMBER = re.compile(r"^(?:remember|note down|note)\b[\s,:]*(?:that\b\s*)?(.+)", re.I | re.S)
_GOAL = re.compile(
    r"^(?:(?:my|a) (?:new )?goal is|my (?:new )?goal:|(?:set|add) (?:a|the) goal)[\s,:]+"
    r"(?:to\b\s*)?(.+)",
    re.I | re.S,
)
_KNOW = re.compile(
    r"^(?:what (?:do|did) (?:you|i) (?:know|remember|tell you|say) about|recall"
    r"|search (?:my |your )?memory for|what is my|what.s my|who is my) (.+?)\??$",
    re.I | re.S,
)
_FORGET = re.compile(r"^forget\b(?: about| that)?[\s,:]*(.+)", re.I | re.S)
_DUE = re.compile(r"\s*\bby (\d{4}-\d{2}-\d{2})\b")
_STATUS = re.compile(
    r"\btask status\b|\bstatus of (?:the |my )?tasks?\b|\bmy tasks\b|\bhow (?:is|are) (?:the |my )?"
    r"tasks?\b|\bwhat are you working on\b",
    re.IGNORECASE,
)
_TASK_ID = re.compile(r"\btsk_[0-9a-z]+\b")
_LIST_QUESTS = re.compile(r"^(?:list|show|which|what)\b.*\bquests?\b", re.IGNORECASE)
_QUEST = re.compile(
    r"^(?:start|begin|launch|run|do)\b\s*(?:a |an |the |my )?"
    r"(?:quest\b[\s:]*(.+)|(.+?)[\s-]+quest\b)",
    re.IGNORECASE,
)
_PROJECT = re.compile(
    r"^(?:create|make|start|set up)\s+(?:a |an |the )?(?:new )?project\s+(?:called |named )?"
    r"[\"'`“]?([\w.-]+(?: [\w.-]+)*?)[\"'`”]?\s*(?:[:,–-]\s+(.+)|:(.+))?[.!]?$",
    re.I | re.S,
)
_PULL_REQUEST = re.compile(
    r"^open (?:a )?pull request (?:from|for) (?:branch )?([\w./-]+) (?:in|on) ([\w.-]+)\s*:\s*(.+)",
    re.I | re.S,
)
_REPO = re.compile(
    r"\b(?:branch(?:es)?|pull requests?|repositor(?:y|ies)|repos?|commits?)\b", re.IGNORECASE
)
_SERVICE = re.compile(r"^(?:call|ask|use|query|tell)\b[^.\n{]*\bservices?\b", re.IGNORECASE)
_CODING = re.compile(
    r"^(?:build|write|fix|run|code|implement|program|create|make|add|change|refactor|test|debug)\b",
    re.IGNORECASE,
)


def understand(prompt: str) -> Say | Call:
    """Return the first step for a user's message."""
    whole = prompt.strip()
    text = _POLITE.sub("", whole).strip()
    return _about_memory(text) or _about_work(text, whole) or _talk(whole)


def _about_memory(text: str) -> Call | None:
    if found := _REMEMBER.match(text):
        return _remember(found[1].strip())
    if found := _GOAL.match(text):
        return _goal(found[1].strip())
    if found := _FORGET.match(text):
        return _forget(found[1].strip())
    if found := _KNOW.match(text):
        return Call("recall", {"query": found[1].strip()})
    return None


def _about_work(text: str, whole: str) -> Call | None:
    coding = "```" in whole
    if not coding and _SERVICE.match(text):
        return Call("delegate", {"agent": "service", "task": whole})
    if not coding and _STATUS.search(text):
        task_id = _TASK_ID.search(text)
        return Call("task_status", {"id": task_id[0] if task_id else ""})
    if not coding and _LIST_QUESTS.match(text):
        return Call("start_quest", {"key": ""})
    if not coding and (found := _QUEST.match(text)):
        return Call("start_quest", {"key": slug(found[1] or found[2])})
    if not coding and (found := _PROJECT.match(text)):
        about = (found[2] or found[3] or "").strip()
        return Call("create_project", {"name": slug(found[1]), "description": about})
    if found := _PULL_REQUEST.match(text):
        branch, repo, title = found.groups()
        return Call("open_pull_request", {"repo": repo, "branch": branch, "title": title.strip()})
    if not coding and _REPO.search(text) and not text.lower().startswith(("run", "fix")):
        return Call("delegate", {"agent": "repo", "task": whole})
    if coding or _CODING.match(text):
        return Call("delegate", {"agent": "coding", "task": whole})
    return None


def _talk(whole: str) -> Say:
    if _GREETING.match(whole):
        return Say(
            f"Hello! I run without a language model. What I can do:\n\n{ABILITIES}\n\n{CONFIGURE}"
        )
    return Say(
        "I can't answer that: I run without a language model and know only a few forms of "
        f"request:\n\n{ABILITIES}\n\n{CONFIGURE}"
    )


def _remember(fact: str) -> Call:
    return Call(
        "remember",
        {
            "path": f"memory/{slug(fact, words=6)}.md",
            "content": fact,
            "reason": "You asked me to remember it.",
        },
    )


def _goal(text: str) -> Call:
    due = _DUE.search(text)
    title = _DUE.sub("", text).strip().rstrip(".")
    return Call(
        "set_goal",
        {"title": title[:200], "why": "You told me so.", "due": due[1] if due else None},
    )


def _forget(what: str) -> Call:
    if re.fullmatch(r"[\w./-]+\.md", what):
        return Call("forget", {"path": what, "reason": "You asked me to forget it."})
    return Call("recall", {"query": what.rstrip(".?!")})


def slug(text: str, words: int = 8) -> str:
    """Return lower-case words joined by dashes, at most 60 characters."""
    found = re.findall(r"[a-z0-9]+", text.lower())[:words]
    return "-".join(found)[:60].strip("-") or "note"


def wants_to_forget(prompt: str) -> bool:
    """Whether the message asks to forget something, so that a search leads to a removal."""
    return _FORGET.match(_POLITE.sub("", prompt.strip()).strip()) is not None
