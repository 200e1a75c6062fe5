"""A turn that stops in its middle until the test lets it go."""

import threading

from tests.support.person import Person, is_reply
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    call,
    last_user_text,
    tool_names,
    tool_results,
)


class HeldTurn:
    """Somebody asks to keep something in mind; the model remembers it, and then waits.

    After `begin` the tool has run and its result is with the model, which answers only at `end`,
    so that no timing decides what is tested. Whatever else is said to the model is answered at
    once.
    """

    _question = "Keep this in mind: processes come and go"
    _answer = "Noted, in spite of everything."
    _path = "memory/processes.md"

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()
        self._first_calls = 0

    def script(self, request: Request) -> Answer:
        if "remember" not in tool_names(request) or last_user_text(request) != self._question:
            return Say("ok")
        if not tool_results(request):
            self._first_calls += 1
            return call("remember", path=self._path, content="They come.", reason="asked")
        self._reached.set()
        self._released.wait(120)
        return Say(self._answer)

    def begin(self, person: Person) -> str:
        """Ask, and wait until the turn is in its middle; returns the message's id."""
        message = person.send(self._question, key="once")
        assert self._reached.wait(60)
        return message

    def end(self, person: Person, message: str) -> None:
        """Let it go, and check that all of it has happened, and nothing twice."""
        person.be_patient()
        self._released.set()
        assert person.reply_to(message) == self._answer
        repeated = person.send(self._question, key="once")
        assert repeated == message, "a retried POST is the same message"
        person.reply_to(person.send("And now?"))
        log = person.stored_events()
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert sum(is_reply(event, message) for event in log) == 1
        committed = [event for event in log if event["type"] == "memory.committed"]
        assert sum(self._path in event["data"]["paths"] for event in committed) == 1
        history = person.get("/memory/history")["items"]
        assert sum(self._path in commit["paths"] for commit in history) == 1
        assert self._first_calls == 1, "a finished step was repeated"
