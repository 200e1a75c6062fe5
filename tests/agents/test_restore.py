"""What is written for a restore can be read again, whatever people do to the files."""

from datetime import UTC, datetime

import pytest

from growqr.agents import snapshot
from growqr.agents.quest_runs import Run, progress_file
from growqr.agents.quests import load_quests
from growqr.agents.restore_quests import can_go_on, journal_of, run_in_file
from growqr.agents.snapshot import SavedMessage, SavedUser, Snapshot, SnapshotInvalid
from growqr.agents.task_files import record_text, task_in_file
from growqr.events import Task, TaskResult

AGENTS = {"grow": "act_grow", "coding": "act_coding"}
AT = datetime(2026, 1, 31, 8, tzinfo=UTC)


def task(**fields: object) -> Task:
    given = {
        "id": "tsk_1",
        "actor_id": "act_coding",
        "agent": "coding",
        "title": "Write: a “tool”",
        "prompt": "Write a tool.\n\n## With a heading\n\nand text",
        "status": "completed",
        "progress": 1.0,
        "result": TaskResult(summary="Done.", repo_id="rep_1", branch="main", commit="a" * 40),
        "requested_by": "act_grow",
        "message_id": "msg_1",
        "created_at": AT,
        "updated_at": AT,
    }
    return Task.model_validate(given | fields)


def said(text: str, *, number: int = 1) -> SavedMessage:
    return SavedMessage(
        id=f"msg_{number}", seq=number, role="user", author="Ada", text=text, at=AT, agent="quest"
    )


@pytest.mark.parametrize(
    "done",
    [
        task(),
        task(status="failed", progress=0.0, result=None, reason="It broke."),
        task(status="cancelled", progress=0.0, result=None, reason=None, message_id=None),
    ],
)
def test_a_task_file_says_the_whole_task(done: Task) -> None:
    assert task_in_file("tsk_1", record_text(done), AGENTS) == done


def test_an_edited_task_file_is_still_a_task_and_other_files_are_none() -> None:
    edited = "---\nagent: coding\nstatus: completed\ncreated: some day\n---\n# Mine\n\nwords\n"
    read = task_in_file("tsk_2", edited, AGENTS)
    assert read is not None
    assert (read.title, read.actor_id, read.requested_by) == ("Mine", "act_coding", "act_grow")
    for text in (
        "",
        "words",
        "---\nagent: stranger\nstatus: completed\n---\n",
        "---\nagent: coding\n---",
    ):
        assert task_in_file("tsk_2", text, AGENTS) is None


def test_a_quest_run_comes_back_from_its_file_with_its_answers() -> None:
    quests = load_quests()
    quest = quests["weekly-review"]
    asked = [(number, step) for number, step in enumerate(quest.steps) if step.ask]
    answers = {step.name or "": f"answer {number}\n\nof two lines" for number, step in asked}
    run = Run("run_1", "tsk_1", quest, "2026-01-31", step=len(quest.steps))
    content = progress_file(run, "running", answers, "b" * 40).content
    assert content is not None
    read = run_in_file(content.decode(), quests)
    assert read == (run, answers)
    assert can_go_on(run, quests)
    first = asked[0][0]
    first_said = said(answers[quest.steps[first].name or ""], number=7)
    entries = journal_of(run, answers, [first_said], "b" * 40)
    assert entries[f"ask:{first}"]["id"] == "msg_7"
    assert entries.pop("own") == {run.path: content.decode()}, "word for word what it had written"
    assert entries.keys() == {f"ask:{number}" for number, _ in asked}


def test_a_run_of_a_quest_that_has_changed_can_be_shown_but_not_continued() -> None:
    quest = load_quests()["weekly-review"]
    run = Run("run_1", "tsk_1", quest, "2026-01-31", step=1)
    content = progress_file(run, "running", {}, None).content
    assert content is not None
    for installed in ({}, {quest.key: quest.model_copy(update={"steps": quest.steps[:2]})}):
        read = run_in_file(content.decode(), installed)
        assert read is not None
        assert [step.title for step in read[0].quest.steps] == [s.title for s in quest.steps]
        assert read[0].step == 1
        assert not can_go_on(read[0], installed)
    for text in ("", "# words", "---\nrun: ../x\ntask: t\nstep: 1\n---\n- [x] a\n"):
        assert run_in_file(text, {}) is None


def test_a_snapshot_keeps_the_newest_within_its_size() -> None:
    many = [said("x" * 3_000, number=number) for number in range(500)]
    kept = snapshot.bounded(many)
    assert kept[-1] == many[-1]
    assert 50 < len(kept) <= snapshot.MAX_MESSAGES
    assert sum(len(message.model_dump_json()) for message in kept) <= snapshot.MAX_BYTES
    (cut,) = snapshot.bounded([said("ä" * 20_000)])
    assert cut.text.endswith("… (cut: too long)")
    assert len(cut.text.encode()) < snapshot.MAX_TEXT_BYTES + 100


def test_a_snapshot_is_read_as_it_was_written_and_refused_when_it_is_none() -> None:
    user = SavedUser(id="usr_1", name="Ada")
    saved = Snapshot(user=user, actors=[], repos=[], tasks=[task()], messages=[said("hi")])
    assert snapshot.parse(saved.text().encode()) == saved
    assert snapshot.parse(saved.text().encode()).text() == saved.text()
    path_as_id = saved.text().replace('"usr_1"', '"../usr_1"')
    newer = saved.text().replace('"schema": 1', '"schema": 2')
    for bad in ("", "[]", "{", path_as_id, newer, " " * (snapshot.MAX_FILE_BYTES + 1)):
        with pytest.raises(SnapshotInvalid):
            snapshot.parse(bad.encode())
