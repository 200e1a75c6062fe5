"""The log of events only ever grows: what is asked for each task must not read all of it."""

import sqlite3

from growqr.agents import eventlog


def test_the_events_of_a_task_are_found_without_reading_the_log() -> None:
    with sqlite3.connect(":memory:") as db:
        db.executescript(eventlog.SCHEMA)
        asked = f"EXPLAIN QUERY PLAN SELECT json FROM events WHERE {eventlog.TASK_ID} = ?"
        plan = db.execute(asked, ("tsk_1",)).fetchall()
    assert "events_by_task" in plan[0][3]
