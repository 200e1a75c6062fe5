"""Power cuts: the worker, or the engine, is killed in the middle of a turn."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from growqr.testing import Platform
from tests.support.held_turn import HeldTurn
from tests.support.person import Person
from tests.support.scripted_model import serve

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]


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
    turn = HeldTurn()
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
            message = turn.begin(ada)
            crash(platform)
            ada.client.base_url = platform.url  # of now; the token stays valid
            turn.end(ada, message)
