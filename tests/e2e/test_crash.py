"""Power cuts: the worker, or the engine, is killed in the middle of a turn.

The scripted model tells the test when the turn is where it should die, and holds its answer
back until the process is gone, so that no timing decides what is tested.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from growqr.testing import Platform
from tests.support.person import Person, is_reply
from tests.support.scripted_model import (
    Answer,
    Request,
    Say,
    call,
    last_user_text,
    serve,
    tool_names,
    tool_results,
)

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

QUESTION = "Keep this in mind: crashes happen"


class DyingTurn:
    """A model whose second answer, after the tool's result, comes only after the crash."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.crashed = threading.Event()
        self.first_calls = 0

    def script(self, request: Request) -> Answer:
        if "remember" not in tool_names(request) or last_user_text(request) != QUESTION:
            return Say("ok")
        if not tool_results(request):
            self.first_calls += 1
            return call(
                "remember", path="memory/crash.md", content="Crashes happen.", reason="asked"
            )
        if not self.crashed.is_set():
            self.reached.set()
            self.crashed.wait(60)
        return Say("Noted, in spite of everything.")


def engine_pid(platform: Platform) -> int:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text().strip()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == platform.pid and name.startswith("rivet-engine"):
            return int(entry.name)
    raise AssertionError("no engine below the platform's process")


def kill_everything(platform: Platform) -> None:
    platform.kill()
    platform.start()


def kill_engine(platform: Platform) -> None:
    os.kill(engine_pid(platform), signal.SIGKILL)


@pytest.mark.parametrize("crash", [kill_everything, kill_engine])
def test_a_crash_in_a_turn_neither_loses_nor_repeats(
    crash: Callable[[Platform], None], tmp_path: Path
) -> None:
    turn = DyingTurn()
    with serve(turn.script) as model:
        platform = Platform(
            tmp_path,
            {
                "GROWQR_MODEL__PROVIDER": "openai-compatible",
                "GROWQR_MODEL__NAME": "scripted",
                "GROWQR_MODEL__BASE_URL": model.base_url,
            },
        )
        with platform:
            ada = Person.register(platform.url)
            message = ada.send(QUESTION, key="once")
            assert turn.reached.wait(60)
            crash(platform)
            turn.crashed.set()

            ada = again(ada, platform)
            assert ada.reply_to(message) == "Noted, in spite of everything."
            assert ada.send(QUESTION, key="once") == message, "a retried POST is the same message"
            ada.reply_to(ada.send("And now?"))

            log = ada.stored_events()
            assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
            assert sum(is_reply(event, message) for event in log) == 1
            commits = [e for e in log if e["type"] == "memory.committed"]
            paths = [path for e in commits for path in e["data"]["paths"]]
            assert paths.count("memory/crash.md") == 1
            assert turn.first_calls == 1, "a finished step was repeated"
            history = ada.get("/memory/history")["items"]
            assert sum("crash" in commit["subject"] for commit in history) <= 1


def again(person: Person, platform: Platform) -> Person:
    """The same person at the platform's address of now; their token stays valid."""
    person.client.base_url = platform.url
    person.url = platform.url
    return person
