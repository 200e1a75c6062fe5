"""From OpenCode's events to progress; the events are shaped as version 1.18.33 sends them."""

from typing import Any

import pytest

from growqr.opencode import Asked, Finished, Progress, Said, ToolFinished, ToolStarted, TurnFailed
from growqr.opencode.turn import DROPPED, Turn
from growqr.opencode.types import Retrying

S = "ses_1"


def event(kind: str, **properties: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": kind, "properties": {"sessionID": S, **properties}}


def message(number: int, role: str, **more: Any) -> dict[str, Any]:
    info = {"id": f"msg_{number}", "role": role, "sessionID": S, **more}
    return event("message.updated", info=info)


def part(number: int, part_id: str, **more: Any) -> dict[str, Any]:
    body = {"id": part_id, "messageID": f"msg_{number}", "sessionID": S, **more}
    return event("message.part.updated", part=body)


def text(number: int, part_id: str, words: str, *, over: bool = True) -> dict[str, Any]:
    time = {"start": 1, "end": 2} if over else {"start": 1}
    return part(number, part_id, type="text", text=words, time=time)


def tool(number: int, part_id: str, name: str, status: str, **state: Any) -> dict[str, Any]:
    return part(number, part_id, type="tool", tool=name, state={"status": status, **state})


def feed(turn: Turn, *events: dict[str, Any]) -> list[Progress]:
    return [progress for one in events for progress in turn.feed(one)]


IDLE = event("session.idle")
RUN = {"command": "ls", "description": "List"}
TURN = [
    message(2, "user"),
    text(2, "prt_0", "my prompt"),
    message(3, "assistant"),
    tool(3, "prt_1", "bash", "pending", input={}),
    tool(3, "prt_1", "bash", "running", input=RUN),
    tool(3, "prt_1", "bash", "running", input=RUN, metadata={"output": "a"}),
    tool(3, "prt_1", "bash", "completed", input=RUN, output="a\n", metadata={"exit": 2}),
    message(3, "assistant", tokens={"input": 10, "output": 5, "reasoning": 1}),
    message(4, "assistant"),
    text(4, "prt_2", "", over=False),
    text(4, "prt_2", "Done."),
    message(4, "assistant", tokens={"input": 20, "output": 5}),
    IDLE,
]
STORY = [
    ToolStarted("bash", "ls"),
    ToolFinished("bash", "ls", "a\n", 2, failed=True),
    Said("Done."),
    Finished("Done.", 41),
]


def test_tells_a_turn_once() -> None:
    turn = Turn(S, "msg_1")
    assert feed(turn, *TURN) == STORY
    assert (turn.ended, turn.steps) == (True, 2)


def test_a_turn_that_ends_before_the_model_was_asked_did_nothing() -> None:
    assert feed(Turn(S, "msg_1"), *TURN[:2], IDLE) == [DROPPED]
    failed = event("session.error", error={"name": "UnknownError", "data": {"message": "no"}})
    (told,) = feed(Turn(S, "msg_1"), failed, IDLE)
    assert told == TurnFailed("The model could not answer: no", retryable=False)


def test_events_of_other_turns_and_sessions_do_not_count() -> None:
    turn = Turn(S, "msg_1")
    other = {"type": "session.idle", "properties": {"sessionID": "ses_2"}}
    assert feed(turn, IDLE, other, message(1, "user"), IDLE, text(1, "prt_9", "old")) == []
    assert feed(turn, *TURN) == STORY


def test_catching_up_from_stored_messages_repeats_nothing() -> None:
    turn = Turn(S, "msg_1")
    told = feed(turn, *TURN[:5])
    done = {"completed": 5}
    stored = [
        {"info": {"id": "msg_1", "role": "assistant", "time": done, "finish": "stop"}},
        {"info": TURN[0]["properties"]["info"], "parts": [TURN[1]["properties"]["part"]]},
        {
            "info": {**TURN[7]["properties"]["info"], "time": done, "finish": "tool-calls"},
            "parts": [TURN[6]["properties"]["part"]],
        },
        {
            "info": {**TURN[11]["properties"]["info"], "time": done, "finish": "stop"},
            "parts": [TURN[10]["properties"]["part"]],
        },
    ]
    assert list(turn.catch_up(stored[:3])) == STORY[1:2]
    assert not turn.ended
    assert told + STORY[1:2] + list(turn.catch_up(stored)) == STORY


def test_a_file_is_named_relative_to_the_workspace() -> None:
    given = {"filePath": "/workspace/src/a.py", "content": "x"}
    done = tool(3, "p", "write", "completed", input=given, output="Wrote file successfully.")
    _, finished = feed(Turn(S, ""), message(3, "assistant"), done)
    assert isinstance(finished, ToolFinished)
    assert (finished.title, finished.paths, finished.failed) == ("src/a.py", ("src/a.py",), False)


def test_a_patch_names_its_files_inside_the_workspace() -> None:
    patch = """*** Begin Patch
*** Add File: new.py
+*** Add File: quoted.py
*** Update File: /workspace/src/../a.py
*** Move to: src/b.py
@@
-old
*** Delete File: new.py
*** Update File: ../etc/passwd
*** Add File: /etc/x
*** End Patch"""
    running = tool(3, "p", "apply_patch", "running", input={"patchText": patch})
    done = tool(3, "p", "apply_patch", "completed", input={"patchText": patch}, output="Success.")
    started, finished = feed(Turn(S, ""), message(3, "assistant"), running, done)
    assert isinstance(finished, ToolFinished)
    assert finished.paths == ("new.py", "a.py", "src/b.py")
    assert started == ToolStarted("apply_patch", "new.py, a.py, src/b.py")


@pytest.mark.parametrize(
    ("error", "denied"),
    [
        ("The user rejected permission to use this specific tool call with the following", True),
        ("The user has specified a rule which prevents you from using this", True),
        ("Tool execution aborted", False),
    ],
)
def test_a_command_that_was_not_allowed_is_denied(error: str, *, denied: bool) -> None:
    ended = tool(3, "p", "bash", "error", input=RUN, error=error)
    _, finished = feed(Turn(S, ""), ended)
    assert finished == ToolFinished("bash", "ls", error, None, failed=True, denied=denied)


def test_a_tools_own_error_is_a_failure() -> None:
    failed = tool(3, "p", "read", "error", input={"filePath": "/etc/x"}, error="no such file")
    _, finished = feed(Turn(S, ""), failed)
    assert finished == ToolFinished("read", '{"filePath": "/etc/x"}', "no such file", None, True)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            {"name": "APIError", "data": {"message": "overloaded", "isRetryable": True}},
            TurnFailed("The model could not answer: overloaded", retryable=True),
        ),
        (
            {"name": "MessageAbortedError", "data": {}},
            TurnFailed("The work was stopped.", retryable=False, aborted=True),
        ),
        ({}, TurnFailed("The model could not answer: unknown error", retryable=False)),
    ],
)
def test_an_error_becomes_the_end(error: dict[str, Any], failure: TurnFailed) -> None:
    told = feed(Turn(S, "msg_1"), event("session.error", error=error), IDLE)
    assert told == [failure]


def test_questions_are_open_until_they_are_answered() -> None:
    turn = Turn(S, "")
    question = {"question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}
    asked = event("question.asked", id="que_1", questions=[question])
    assert feed(turn, asked, asked) == [Asked("Which?", "que_1", ("A", "B"))]
    assert list(turn.questions) == ["que_1"]
    feed(turn, event("question.replied", requestID="que_1"))
    assert not turn.questions


def wish(number: int, **more: Any) -> dict[str, Any]:
    return event("permission.asked", id=f"per_{number}", **more)


def test_a_permission_is_a_question_with_two_answers() -> None:
    turn = Turn(S, "")
    told = feed(
        turn,
        wish(1, permission="bash", patterns=["true", "rm a"], metadata={"command": "true; rm a"}),
        wish(2, permission="read", patterns=["b.env"]),
        wish(3, permission=4, patterns=5, metadata=6),
    )
    assert [
        (item.question, item.options, item.kind) for item in told if isinstance(item, Asked)
    ] == [
        (text, ("Allow", "Deny"), "permission")
        for text in (
            "May I run this command?\n\n```\ntrue; rm a\n```",
            "May I use `read` on b.env?",
            "May I use `a tool` on this?",
        )
    ]
    assert not turn.refusals


def test_too_many_permissions_are_refused_without_asking() -> None:
    turn = Turn(S, "")
    told = feed(turn, *(wish(number, permission="bash") for number in range(25)))
    assert (len(told), len(turn.questions), len(turn.refusals)) == (20, 20, 5)


def test_a_model_that_does_not_answer_is_told_once_an_attempt() -> None:
    retry = event("session.status", status={"type": "retry", "attempt": 1, "message": "busy"})
    again = event("session.status", status={"type": "retry", "attempt": 2, "message": "busy"})
    idle = event("session.status", status={"type": "busy"})
    told = feed(Turn(S, ""), retry, retry, idle, again)
    assert told == [Retrying("busy", 1), Retrying("busy", 2)]


def test_steps_of_helpers_count_but_their_words_and_end_do_not() -> None:
    turn = Turn(S, "msg_1")
    created = event("session.created", info={"id": "ses_child", "parentID": S})
    info = {"id": "msg_5", "role": "assistant", "sessionID": "ses_child"}
    child = {"sessionID": "ses_child"}
    words = text(5, "p", "inner")["properties"]["part"] | child
    told = feed(
        turn,
        *TURN[:3],
        created,
        {"type": "message.updated", "properties": {**child, "info": info}},
        {"type": "message.part.updated", "properties": {**child, "part": words}},
        {"type": "session.idle", "properties": child},
    )
    assert told == []
    assert (turn.steps, turn.ended) == (2, False)


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"type": 7, "properties": []},
        event("message.updated", info="x"),
        event("message.updated", info={"id": 5, "role": [], "tokens": "many"}),
        event("message.part.updated", part={"type": "tool", "state": 3}),
        event("message.part.updated", part={"type": "text", "id": {}, "text": 1, "time": 2}),
        event("question.asked", id=1, questions=["x"]),
        event("question.asked", id=1, questions=7),
        event("session.status", status={"type": "retry", "attempt": "x"}),
        event("session.created", info={"parentID": S}),
    ],
)
def test_malformed_events_are_passed_over(junk: dict[str, Any]) -> None:
    turn = Turn(S, "msg_1")
    assert feed(turn, junk) == []
    assert feed(turn, *TURN) == STORY
