from datetime import timedelta
from typing import Any

from growqr.agents.messages import cut, printable
from growqr.agents.projection import merged, task_in
from growqr.agents.reports import notice
from growqr.agents.task_files import record_text
from growqr.agents.tasks import title_of
from growqr.events import Event, Task, TaskResult, now

START = now()


def task(minute: int, status: Any, **more: Any) -> Task:
    at = START + timedelta(minutes=minute)
    given = {"id": "tsk_1", "actor_id": "act_1", "agent": "coding", "title": "T", "prompt": "P"}
    return Task(**given, status=status, requested_by="act_0", updated_at=at, **more)


def test_newer_news_of_a_task_win_and_the_end_is_the_end() -> None:
    running, paused, done = task(1, "running"), task(2, "paused"), task(3, "completed")
    assert merged(None, running) is running
    assert merged(running, paused) is paused
    assert merged(paused, running) is paused
    assert merged(done, task(4, "running")) is done


def test_applying_events_in_any_repetition_gives_the_last_state() -> None:
    story = [task(n, s) for n, s in enumerate(("queued", "running", "paused", "running"))]
    known: Task | None = None
    for news in [*story, *story, task(9, "failed"), *story]:
        known = merged(known, news)
    assert known is not None
    assert known.status == "failed"


def test_only_task_events_that_carry_a_task_are_read_as_one() -> None:
    def event(kind: Any, data: dict[str, Any]) -> Event:
        return Event(seq=1, type=kind, actor_id="act_1", channel_id="chn_1", data=data)

    running = task(1, "running")
    data = running.model_dump(mode="json")
    assert task_in(event("task.progress", {**data, "text": "half way"})) == running
    assert task_in(event("task.log", {"stream": "stdout", "text": "x"})) is None
    assert task_in(event("agent.status", {"status": "idle"})) is None


def test_what_is_told_of_a_finished_task_names_its_commit() -> None:
    result = TaskResult(summary="Made it.", branch="task/1", commit="a" * 40)
    done = task(1, "completed", result=result)
    assert "Made it." in notice(done)
    assert "`aaaaaaaaaa` on branch `task/1`" in notice(done)
    assert f"commit: {'a' * 40}" in record_text(done)
    assert notice(task(1, "failed", reason="No compiler.")).endswith("failed: No compiler.")


def test_stored_text_is_printable_and_bounded() -> None:
    assert printable("a\0b\x1b[0m\n\tc") == "ab[0m\n\tc"
    assert cut("short") == "short"
    long = cut("é" * 100, 51)
    assert long == "é" * 25 + "\n… (cut: too long)"


def test_a_title_is_one_short_line() -> None:
    assert title_of("\n  Build   it\nnow") == "Build it"
    assert len(title_of("x" * 500)) == 120
    assert title_of(" \n ") == "Untitled"
