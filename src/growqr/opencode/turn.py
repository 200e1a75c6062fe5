"""Turns OpenCode's events about one prompt into progress."""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from growqr.opencode.sandbox import WORKSPACE
from growqr.opencode.types import (
    Asked,
    Finished,
    Progress,
    Retrying,
    Said,
    ToolFinished,
    ToolStarted,
    TurnFailed,
)

_OUTPUT_CHARS = 16_000
_TEXT_CHARS = 100_000
_TITLE_CHARS = 500


_DENIED = ("The user rejected permission", "The user has specified a rule")
"""How OpenCode begins what it says of a tool that was not allowed to run."""
_MOST_PATHS = 50
_PATCHED = re.compile(r"^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+)$", re.MULTILINE)

ALLOW, DENY = "Allow", "Deny"
"""What a person can choose when the model asks permission."""
DROPPED = TurnFailed("OpenCode did nothing with the prompt.", retryable=True)
"""The end of a turn without a call of the model.

A server (1.18.33) whose first turn is aborted before it has asked the model ends every later one
so, for as long as it runs.
"""
_MOST_QUESTIONS = 20
"""In one turn; further permissions are refused without asking."""


@dataclass(frozen=True)
class OpenQuestion:
    kind: Literal["question", "permission"]
    parts: int
    """Texts that the answer must have."""


class Turn:
    """Follows one turn. Feeding the same thing twice says nothing twice, so after a broken
    connection the stored messages can be fed to catch up.

    `last_message_id` is the session's newest message before the prompt, or empty: OpenCode's
    ids grow, so everything greater belongs to this turn.
    """

    def __init__(self, session_id: str, last_message_id: str) -> None:
        self.steps = 0
        """Model calls begun, those of helpers that the model started included."""
        self.ended = False
        self.questions: dict[str, OpenQuestion] = {}
        """What the server waits for, by its id."""
        self.refusals: list[str] = []
        """Permissions that the server waits for and nobody will be asked for."""
        self._session_id = session_id
        self._last = last_message_id
        self._family = {session_id}
        self._begun = False
        self._started: set[str] = set()
        self._done: set[str] = set()
        self._roles: dict[str, str] = {}
        self._asked: set[str] = set()
        self._tokens: dict[str, int] = {}
        self._retries = 0
        self._said = ""
        self._error: TurnFailed | None = None

    def feed(self, event: Mapping[str, Any]) -> Iterator[Progress]:
        """Take one event of the server's stream."""
        kind = event.get("type")
        data = _object(event.get("properties"))
        if kind == "session.created":
            info = _object(data.get("info"))
            if info.get("parentID") in self._family and len(self._family) < 100:
                self._family.add(_string(info.get("id")))
            return
        if data.get("sessionID") not in self._family:
            return
        if kind == "message.updated":
            self._message(_object(data.get("info")))
        elif kind == "message.part.updated":
            yield from self._part(_object(data.get("part")))
        elif kind == "question.asked":
            yield from self._question(data)
        elif kind == "permission.asked":
            yield from self._permission(data)
        elif kind in ("permission.replied", "question.replied", "question.rejected"):
            self.questions.pop(_string(data.get("requestID")), None)
        elif data.get("sessionID") == self._session_id:
            if kind == "session.error":
                self._begun = True  # it can fail before it has a message
                self._error = _failure(_object(data.get("error")))
            elif kind == "session.status":
                yield from self._retrying(_object(data.get("status")))
            elif kind == "session.idle" and self._begun:
                yield self._end()

    def catch_up(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[Progress]:
        """Take stored messages, `{info, parts}` each; ends the turn if they show its end."""
        finished = False
        for message in messages:
            info = _object(message.get("info"))
            if _string(info.get("id")) <= self._last:
                continue
            self._message(info)
            for part in message.get("parts") or ():
                yield from self._part(_object(part))
            over = _object(info.get("time")).get("completed") is not None
            finished = over and (info.get("finish") != "tool-calls" or bool(info.get("error")))
        if finished and not self.ended:
            yield self._end()

    def _message(self, info: Mapping[str, Any]) -> None:
        message_id = _string(info.get("id"))
        if message_id <= self._last or len(self._roles) > 10_000:
            return
        own = info.get("sessionID", self._session_id) == self._session_id
        if message_id not in self._roles:
            self._roles[message_id] = _string(info.get("role"))
            self.steps += info.get("role") == "assistant"
        self._begun = self._begun or own
        if info.get("role") == "assistant":
            self._tokens[message_id] = _count(_object(info.get("tokens")))
            if own and info.get("error"):
                self._error = _failure(_object(info.get("error")))

    def _part(self, part: Mapping[str, Any]) -> Iterator[Progress]:
        part_id, message_id = _string(part.get("id")), _string(part.get("messageID"))
        if message_id <= self._last or part_id in self._done or len(self._done) > 100_000:
            return
        if part.get("type") == "text":
            yield from self._text(part, part_id, message_id)
        elif part.get("type") == "tool":
            yield from self._tool(part, part_id)

    def _text(self, part: Mapping[str, Any], part_id: str, message_id: str) -> Iterator[Progress]:
        text = _string(part.get("text"))[:_TEXT_CHARS]
        over = _object(part.get("time")).get("end") is not None
        own = part.get("sessionID", self._session_id) == self._session_id
        if over and text.strip() and own and self._roles.get(message_id) == "assistant":
            self._done.add(part_id)
            self._said = text
            yield Said(text)

    def _tool(self, part: Mapping[str, Any], part_id: str) -> Iterator[Progress]:
        state = _object(part.get("state"))
        status, given = state.get("status"), _object(state.get("input"))
        tool = _string(part.get("tool"))[:100] or "tool"
        title = _title(tool, given, state)
        if status in ("running", "completed", "error") and part_id not in self._started:
            self._started.add(part_id)
            yield ToolStarted(tool, title)
        if status in ("completed", "error"):
            self._done.add(part_id)
            code = _object(state.get("metadata")).get("exit") if tool == "bash" else None
            code = code if isinstance(code, int) and not isinstance(code, bool) else None
            output = _string(state.get("output") if status == "completed" else state.get("error"))
            failed = status == "error" or tool == "invalid" or bool(code)
            denied = status == "error" and output.startswith(_DENIED)
            yield ToolFinished(
                tool, title, output[:_OUTPUT_CHARS], code, failed, denied, _paths(given)
            )

    def _question(self, data: Mapping[str, Any]) -> Iterator[Progress]:
        question_id = _string(data.get("id"))
        asked = [item for item in _list(data.get("questions")) if isinstance(item, dict)][:10]
        if question_id in self._asked or not asked:
            return
        options = [
            _string(_object(option).get("label"))[:200]
            for item in asked
            for option in _list(item.get("options"))[:20]
        ]
        text = "\n".join(_string(item.get("question"))[:2000] for item in asked)
        self._asked.add(question_id)
        self.questions[question_id] = OpenQuestion("question", len(asked))
        yield Asked(text, question_id, tuple(options))

    def _permission(self, data: Mapping[str, Any]) -> Iterator[Progress]:
        permission_id = _string(data.get("id"))
        if permission_id in self._asked:
            return
        if len(self._asked) >= _MOST_QUESTIONS:
            self.refusals.append(permission_id)
            return
        self._asked.add(permission_id)
        self.questions[permission_id] = OpenQuestion("permission", 1)
        yield Asked(_wish(data), permission_id, (ALLOW, DENY), "permission")

    def _retrying(self, status: Mapping[str, Any]) -> Iterator[Progress]:
        attempt = status.get("attempt")
        if status.get("type") == "retry" and isinstance(attempt, int) and attempt > self._retries:
            self._retries = attempt
            yield Retrying(_string(status.get("message"))[:_TITLE_CHARS] or "no answer", attempt)

    def _end(self) -> Progress:
        self.ended = True
        if self._error is None and not self.steps:
            return DROPPED
        return self._error or Finished(self._said, sum(self._tokens.values()))


def _wish(data: Mapping[str, Any]) -> str:
    permission = _string(data.get("permission"))[:100] or "a tool"
    command = _object(data.get("metadata")).get("command")
    if permission == "bash" and isinstance(command, str):
        return f"May I run this command?\n\n{_code(command[:2000])}"
    patterns = [_string(pattern)[:200] for pattern in _list(data.get("patterns"))[:20]]
    return f"May I use `{permission}` on {', '.join(patterns) or 'this'}?"


def _code(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _failure(error: Mapping[str, Any]) -> TurnFailed:
    name = _string(error.get("name"))
    data = _object(error.get("data"))
    if name == "MessageAbortedError":
        return TurnFailed("The work was stopped.", retryable=False, aborted=True)
    if name == "ContextOverflowError":
        return TurnFailed("The work no longer fits into the model's context.", retryable=False)
    message = _string(data.get("message"))[:_TITLE_CHARS] or name[:100] or "unknown error"
    return TurnFailed(f"The model could not answer: {message}", bool(data.get("isRetryable")))


def _title(tool: str, given: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    for value in (given.get("command"), ", ".join(_paths(given)), state.get("title")):
        if isinstance(value, str) and value:
            return value[:_TITLE_CHARS]
    return json.dumps(given)[:_TITLE_CHARS] if given else tool


def _paths(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files inside the workspace that a tool's input names."""
    named = [_string(given.get("filePath"))]
    for found in _PATCHED.finditer(_string(given.get("patchText"))):
        named.append(posixpath.join(WORKSPACE, found[1].strip()))
        if len(named) > _MOST_PATHS:
            break
    whole = (posixpath.normpath(path[:1000]) for path in named if path)
    inside = (path for path in whole if path.startswith(f"{WORKSPACE}/"))
    return tuple(dict.fromkeys(path.removeprefix(f"{WORKSPACE}/") for path in inside))


def _count(tokens: Mapping[str, Any]) -> int:
    values = [tokens.get(name) for name in ("input", "output", "reasoning")]
    return sum(value for value in values if isinstance(value, int) and value > 0)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
