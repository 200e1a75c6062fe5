"""The deterministic coding model: what OpenCode talks to when no real model is configured.

It reads the newest user message as instructions. A fenced code block that names a file is
written; a line `run: COMMAND` is run; in the order of the text, one tool call for each step.
Where it stands it sees from the tool results in the conversation, so it keeps no state. A few
requests that carry no code have a recipe. Everything else gets an honest refusal.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from growqr.models.coding_recipes import recipe_for

LABEL = "(offline model)"
_WORKSPACE = "/workspace"
_SHOWN_CHARS = 2000
_FAILED = re.compile(r"\[exit code (\d+)\]\s*$")
_NOT_RUN = ("The user has specified a rule", "The arguments provided", "Tool execution aborted")
_TIMED_OUT = "terminated command after exceeding timeout"
_FENCE = re.compile(r"^(?P<before>.*\s)?(?P<marks>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_RUN = re.compile(r"^\s*(?:[-*]\s+|\d+\.\s+)?`?run:\s*(?P<command>[^`\n]+?)`?\s*$", re.IGNORECASE)
_FILE = re.compile(
    r"(?:[A-Za-z0-9_.-]+/)*(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\.[A-Za-z0-9]+|Makefile|Dockerfile)"
)
_NAMED_BEFORE = re.compile(rf"`?(?P<file>{_FILE.pattern})`?\s*:?\s*$")

Message = Mapping[str, Any]


@dataclass(frozen=True)
class WriteFile:
    path: str
    content: str


@dataclass(frozen=True)
class RunCommand:
    command: str


Step = WriteFile | RunCommand


def steps_in(text: str) -> list[Step]:
    """Return what the text asks for: files to write and commands to run, in its order.

    A fence that begins in the middle of a line counts when it names a file and ends.
    """
    steps: list[Step] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        rest = lines[at]
        if fence := _FENCE.match(rest.strip()):
            path = _file_of(fence["info"], [*lines[:at], fence["before"] or ""])
            end = _fence_end(lines, at, fence["marks"])
            if path and end is not None:
                content = "".join(f"{line}\n" for line in lines[at + 1 : end])
                steps.append(WriteFile(path, content))
                at, rest = end, lines[end].strip().lstrip(fence["marks"][0])
            elif not fence["before"]:
                at, rest = len(lines) if end is None else end, ""
        if run := _RUN.match(rest):
            steps.append(RunCommand(run["command"]))
        at += 1
    return steps


def next_message(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the assistant's next message for an OpenAI chat completion request."""
    messages = [message for message in request.get("messages") or () if isinstance(message, dict)]
    prompt, since = _newest_prompt(messages)
    if not request.get("tools"):
        return _say(f"{LABEL} {prompt.strip().splitlines()[0][:80] if prompt.strip() else 'Work'}")
    steps = steps_in(prompt) or steps_in(recipe_for(prompt) or "")
    if not steps:
        return _say(_CANNOT)
    results = [_text(message) for message in since if message.get("role") == "tool"]
    pairs = zip(steps, results, strict=False)
    problem = next((i for i, pair in enumerate(pairs) if _is_failure(*pair)), None)
    if problem is not None:
        return _say(_report(steps, results[: problem + 1], failed=True))
    if len(results) < len(steps):
        return _call(steps[len(results)], len(results))
    return _say(_report(steps, results, failed=False))


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole chat completion."""
    message = next_message(request)
    return {
        "id": "chatcmpl-offline",
        "object": "chat.completion",
        "created": 0,
        "model": request.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(message)}],
        "usage": _NO_USAGE,
    }


async def answer_stream(request: Mapping[str, Any]) -> AsyncIterator[str]:
    """Yield the same chat completion as server-sent events."""
    message = next_message(request)
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls", ()))]
    first = {"role": "assistant", "content": message["content"]}
    for delta, finish in (
        ({**first, **({"tool_calls": calls} if calls else {})}, None),
        ({}, _finish(message)),
    ):
        chunk = {
            "id": "chatcmpl-offline",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": request.get("model"),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        if finish:
            chunk["usage"] = _NO_USAGE
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"


_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}

_CANNOT = f"""{LABEL} I can't work this out without a language model. Offline I can only:

- write a file: a fenced code block that names it, as in ```` ```python hello.py ````;
- run a command: a line `run: python3 hello.py`;
- write a hello-world program in Python, a script that prints a text you give, or a first \
command-line tool.

For everything else, set `GROWQR_MODEL__PROVIDER`, `GROWQR_MODEL__NAME` and \
`GROWQR_MODEL__API_KEY`, and start GrowQR again."""


def _newest_prompt(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """Return the newest user message's text and the messages after it."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].get("role") == "user":
            return _text(messages[at]), messages[at + 1 :]
    return "", ()


def _text(message: Message) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _fence_end(lines: Sequence[str], start: int, marks: str) -> int | None:
    for at in range(start + 1, len(lines)):
        closing = lines[at].strip()
        after = closing.lstrip(marks[0])
        if closing.startswith(marks) and (not after or _RUN.match(after)):
            return at
    return None


def _file_of(info: str, before: Sequence[str]) -> str | None:
    """Return the file that the fence names, or the line above it; None if neither does."""
    for word in info.replace("title=", " ").replace('"', " ").split():
        if _FILE.fullmatch(word) and _is_inside(word):
            return word
    line = next((line.strip() for line in reversed(before) if line.strip()), "")
    named = _NAMED_BEFORE.search(line)
    if named and _is_inside(named["file"]) and (line.endswith(":") or named[0].strip() == line):
        return named["file"]
    return None


def _is_inside(path: str) -> bool:
    return ".." not in path.split("/")


def _is_failure(step: Step, result: str) -> bool:
    if isinstance(step, WriteFile):
        return not result.startswith("Wrote file")
    cut_short = _TIMED_OUT in result[-600:]
    return cut_short or bool(_FAILED.search(result)) or result.startswith(_NOT_RUN)


def _call(step: Step, number: int) -> dict[str, Any]:
    if isinstance(step, WriteFile):
        name, arguments = (
            "write",
            {"filePath": f"{_WORKSPACE}/{step.path}", "content": step.content},
        )
    else:
        name, arguments = "bash", {"command": step.command, "description": "Runs the command"}
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{number + 1}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _finish(message: Mapping[str, Any]) -> str:
    return "tool_calls" if message.get("tool_calls") else "stop"


def _report(steps: Sequence[Step], results: Sequence[str], *, failed: bool) -> str:
    """Say what was done, with what the commands printed, and what was not."""
    done = list(zip(steps, results, strict=False))
    lines = [f"{LABEL} " + ("I stopped: a step failed." if failed else "Done.")]
    for at, (step, result) in enumerate(done):
        broke = failed and at == len(done) - 1
        if isinstance(step, WriteFile):
            lines.append(f"- {'Could not write' if broke else 'Wrote'} `{step.path}`")
            lines += [_quoted(result)] if broke else []
        else:
            code = _FAILED.search(result)
            end = f" ended with exit code {code[1]}" if code else " failed" if broke else ""
            lines.append(f"- Ran `{step.command}`{end}:\n{_quoted(_FAILED.sub('', result))}")
    left = steps[len(done) :]
    if left:
        names = [step.path if isinstance(step, WriteFile) else step.command for step in left]
        lines.append("Not done: " + ", ".join(f"`{name}`" for name in names))
    return "\n".join(lines)


def _quoted(output: str) -> str:
    output = output.strip()[:_SHOWN_CHARS].replace("```", "'''")
    return f"```\n{output or '(no output)'}\n```"
