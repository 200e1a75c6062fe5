import json
from typing import Any

import pytest

from growqr.models.offline_coding import (
    RunCommand,
    WriteFile,
    answer,
    answer_stream,
    next_message,
    steps_in,
)

TOOLS = [{"type": "function", "function": {"name": "write"}}]
PROMPT = """Please write it.

```python hello.py
print("hi")
```
run: python3 hello.py
"""


def ask(*messages: dict[str, Any]) -> dict[str, Any]:
    return next_message({"model": "offline", "tools": TOOLS, "messages": list(messages)})


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "call_1", "content": text}


def called(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    function = message["tool_calls"][0]["function"]
    return function["name"], json.loads(function["arguments"])


def test_takes_one_step_at_a_time_and_then_reports() -> None:
    first = ask(user(PROMPT))
    assert called(first) == (
        "write",
        {"filePath": "/workspace/hello.py", "content": 'print("hi")\n'},
    )
    second = ask(user(PROMPT), first, result("Wrote file successfully."))
    name, arguments = called(second)
    assert (name, arguments["command"]) == ("bash", "python3 hello.py")
    last = ask(user(PROMPT), first, result("Wrote file successfully."), second, result("hi\n"))
    assert "tool_calls" not in last
    assert last["content"].startswith("(offline model) Done.")
    assert "Wrote `hello.py`" in last["content"]
    assert "```\nhi\n```" in last["content"]


def test_says_so_when_a_command_fails_and_does_not_go_on() -> None:
    text = "run: false\nrun: echo never"
    message = ask(user(text), result("oops\n\n[exit code 3]\n"))
    assert "I stopped" in message["content"]
    assert "`false` ended with exit code 3:\n```\noops\n```" in message["content"]
    assert "Not done: `echo never`" in message["content"]


def test_a_command_that_prints_error_but_succeeds_is_no_failure() -> None:
    assert "Done." in ask(user("run: true"), result("Error: all fine\n"))["content"]


def test_a_refused_write_is_a_failure() -> None:
    text = "The user has specified a rule which prevents you from using this tool call."
    message = ask(user("```python a.py\n```"), result(text))
    assert "Could not write `a.py`" in message["content"]


def test_only_what_follows_the_newest_prompt_counts() -> None:
    message = ask(user(PROMPT), result("Wrote file"), result("hi"), user("run: ls"))
    assert called(message)[1]["command"] == "ls"


@pytest.mark.parametrize(
    "text",
    [
        "```python src/a.py\nx\n```",
        '```python title="src/a.py"\nx\n```',
        "`src/a.py`:\n```\nx\n```",
        "src/a.py\n\n```python\nx\n```",
        "Put this into `src/a.py`:\n```python\nx\n```",
    ],
)
def test_a_fence_is_named_by_its_info_or_the_line_before(text: str) -> None:
    assert steps_in(text) == [WriteFile("src/a.py", "x\n")]


def test_a_fence_may_begin_and_end_in_the_middle_of_a_line() -> None:
    # what people send who write a message instead of a document
    text = "Write a program: ```python a.py\nprint(1)  # ```\n``` run: python3 a.py"
    assert steps_in(text) == [WriteFile("a.py", "print(1)  # ```\n"), RunCommand("python3 a.py")]
    assert steps_in("in `a.py`: ```\nx\n```") == [WriteFile("a.py", "x\n")]
    assert steps_in("it was ~~~ or so\nrun: ls") == [RunCommand("ls")]


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)\n```",
        "```python a.py\nnever closed",
        "```text ../outside.txt\nx\n```",
        "As we saw in a.py, this matters.\n```\nx\n```",
    ],
)
def test_a_fence_without_a_file_or_an_end_is_not_written(text: str) -> None:
    assert steps_in(text) == []


def test_a_run_line_inside_a_fence_is_content() -> None:
    assert steps_in("```text notes.md\nrun: rm -r x\n```\n- `run: ls`") == [
        WriteFile("notes.md", "run: rm -r x\n"),
        RunCommand("ls"),
    ]


def test_a_longer_fence_may_hold_a_shorter_one() -> None:
    steps = steps_in("````markdown README.md\n```\ncode\n```\n````")
    assert steps == [WriteFile("README.md", "```\ncode\n```\n")]


@pytest.mark.parametrize(
    ("prompt", "file", "content"),
    [
        ("Write a hello world program in Python", "hello.py", "print('Hello, world!')\n"),
        ("write a script that prints 'good \"day\"'", "script.py", None),
        ('a program that prints "42"', "script.py", "print('42')\n"),
        ("Ship a first command-line tool", "tally.py", None),
    ],
)
def test_recipes(prompt: str, file: str, content: str | None) -> None:
    name, arguments = called(ask(user(prompt)))
    assert name == "write"
    assert arguments["filePath"] == f"/workspace/{file}"
    assert content is None or arguments["content"] == content


@pytest.mark.parametrize("prompt", ["Prove the theorem", "Hello world in Rust, please", ""])
def test_says_what_it_cannot_do_and_how_to_change_that(prompt: str) -> None:
    message = ask(user(prompt))
    assert "tool_calls" not in message
    assert "GROWQR_MODEL__PROVIDER" in message["content"]


def test_content_in_parts_is_read() -> None:
    parts = [{"type": "text", "text": "run: pwd"}]
    assert called(ask({"role": "user", "content": parts}))[1]["command"] == "pwd"


async def _stream(request: dict[str, Any]) -> list[Any]:
    lines = [line async for line in answer_stream(request)]
    assert lines[-1] == "data: [DONE]\n\n"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


@pytest.mark.anyio
async def test_streamed_and_whole_answers_agree() -> None:
    request = {"model": "offline", "tools": TOOLS, "messages": [user("run: ls")]}
    whole = answer(request)["choices"][0]
    first, last = await _stream(request)
    call = dict(first["choices"][0]["delta"]["tool_calls"][0])
    assert call.pop("index") == 0
    assert call == whole["message"]["tool_calls"][0]
    assert last["choices"][0]["finish_reason"] == whole["finish_reason"] == "tool_calls"
