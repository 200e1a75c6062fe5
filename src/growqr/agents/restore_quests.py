"""Quest runs out of their files `quests/<key>/<run>.md`."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from growqr.agents import front_matter, journal, quest_runs, task_rows, tasks
from growqr.agents.eventlog import Change as LogChange
from growqr.agents.quest_runs import Run
from growqr.agents.quests import Quest, load_quests
from growqr.agents.quests.schema import Step
from growqr.agents.snapshot import SavedMessage, SavedRun, Snapshot
from growqr.events import ChannelMessage, Task
from growqr.git.forge import BlobNotFound, CommitNotFound, Forge, RepoRef
from growqr.git.layout import SNAPSHOT
from growqr.git.refs import is_sha
from growqr.ids import derived_id

if TYPE_CHECKING:
    from growqr.agents.quest import QuestAgent

MAX_RUNS = 100
"""Run files that are read, the newest by id."""
_STEP = re.compile(r"^- \[([x ])\] (.+)$", re.M)
CHANGED = "This quest has changed since it was begun. Please start it again."
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


async def restore_runs(
    agent: "QuestAgent", change: LogChange, saved: Snapshot, own: Sequence[Task]
) -> None:
    """Add to `change` the runs whose tasks are restored, with the answers given so far.

    They go on from the commit that they began on, so that what the user has pushed meanwhile is
    merged by their next step and not taken for something they had read. The task of a run that
    can't go on, because its quest is another one now, ends.
    """
    quests = load_quests()
    forge, repo = agent.services.forge, agent.spec.repo
    found: dict[str, tuple[Run, dict[str, str]]] = {}
    bases: dict[str, str | None] = {}
    for path in await _files(forge, repo):
        text = (await forge.blob(repo, path)).decode(errors="replace")
        read = run_in_file(text, quests)
        if read is not None:
            found[read[0].task_id] = read
            bases[read[0].task_id] = await _base_in_file(forge, repo, text)
    for saved_run in saved.runs:
        task = next((task for task in own if task.id == saved_run.task_id), None)
        if task is not None and task.id not in found:
            run = new_run(saved_run, task.created_at.date().isoformat(), quests)
            if run is not None:
                found[task.id] = (run, {})
    said = [message for message in saved.messages if message.agent == agent.spec.name]
    for position, task in enumerate(own, start=1):
        run, answers = found.get(task.id, (None, {}))
        if run is not None:
            quest_runs.add(change, run, position - len(own))
        if tasks.finished(task):
            continue
        if run is None or not can_go_on(run, quests):
            _end(change, task)
            continue
        base = bases.get(task.id)
        entries = journal_of(run, answers, said, base)
        entries["base"] = base or await _last_alive(forge, repo)
        for key, value in entries.items():
            journal.put(change, task.id, key, value)


def run_in_file(text: str, quests: Mapping[str, Quest]) -> tuple[Run, dict[str, str]] | None:
    """Return the run and its answers by name; None when the file records no run.

    A quest that has been changed or removed since is told by the titles of its steps; such a
    run can be shown, but `can_go_on` says that it can't be continued.
    """
    front, body = front_matter.split(text)
    ids = (str(front.get("run")), str(front.get("task")))
    titles = [found[1].strip() for found in _STEP.findall(body)]
    done = front.get("step")
    if not all(_ID.match(text) for text in ids) or not isinstance(done, int) or not titles:
        return None
    quest = quests.get(str(front.get("quest")))
    if quest is None or [step.title for step in quest.steps] != titles:
        quest = _quest_of_titles(str(front.get("quest")), body, titles)
    if quest is None:
        return None
    step = max(0, min(done, len(quest.steps)))
    run = Run(ids[0], ids[1], quest, started_on=str(front.get("started", ""))[:10], step=step)
    return run, _answers(body, quest)


def can_go_on(run: Run, quests: Mapping[str, Quest]) -> bool:
    """Whether the run's quest is the one that is installed now."""
    return quests.get(run.quest.key) == run.quest


def new_run(saved: SavedRun, day: str, quests: Mapping[str, Quest]) -> Run | None:
    """Return a run that had finished no step and thus has no file yet."""
    quest = quests.get(saved.quest_key)
    return Run(saved.id, saved.task_id, quest, started_on=day) if quest else None


def journal_of(
    run: Run, answers: Mapping[str, str], said: Sequence[SavedMessage], base: str | None
) -> dict[str, Any]:
    """Return what the finished steps had left in the run's journal; `base` is what the file says.

    Of what the run has written only its own file matters: no step writes another's again.
    """
    file = quest_runs.progress_file(run, "running", answers, base)
    entries: dict[str, Any] = {}
    if run.step:
        entries["own"] = {file.path: (file.content or b"").decode()}
    for number, step in enumerate(run.quest.steps[: run.step]):
        text = answers.get(step.name or "", "")
        if step.ask is not None:
            given = next((m for m in said if m.role == "user" and m.text.strip() == text), None)
            message: ChannelMessage = given or ChannelMessage(
                id=derived_id("msg", run.id, str(number)), seq=0, role="user", author="", text=text
            )
            entries[f"ask:{number}"] = message.model_dump(mode="json")
        elif step.delegate is not None and step.name is not None:
            entries[f"value:{number}"] = text
    return entries


async def _base_in_file(forge: Forge, repo: RepoRef, text: str) -> str | None:
    base = str(front_matter.split(text)[0].get("base", ""))
    try:
        return (await forge.commit_info(repo, base)).sha if is_sha(base) else None
    except CommitNotFound:
        return None


async def _last_alive(forge: Forge, repo: RepoRef) -> str | None:
    """The commit up to which a run had surely begun, if its file does not tell on which."""
    return next((c.sha for c in await forge.commits(repo, path=SNAPSHOT, limit=1)), None)


async def _files(forge: Forge, repo: RepoRef) -> list[str]:
    try:
        entries = await forge.tree(repo, path="quests", recursive=True)
    except BlobNotFound:
        return []
    files = [e.path for e in entries if e.type == "file" and e.path.endswith(".md")]
    return sorted(files, key=lambda path: path.rsplit("/", 1)[-1])[-MAX_RUNS:]


def _end(change: LogChange, task: Task) -> None:
    ended = tasks.moved(task, status="cancelled", reason=CHANGED)
    task_rows.keep(change, ended)
    tasks.emit(change, "task.cancelled", ended)


def _answers(body: str, quest: Quest) -> dict[str, str]:
    found: dict[str, str] = {}
    sections = re.split(r"^## ", body, flags=re.M)[1:]
    by_title = {step.title: step.name for step in quest.steps if step.name is not None}
    for section in sections:
        title, _, quote = section.partition("\n")
        name = by_title.get(title.strip())
        if name is not None:
            lines = [line for line in quote.strip().splitlines() if line.startswith(">")]
            found[name] = "\n".join(line[1:].removeprefix(" ") for line in lines)
    return found


def _quest_of_titles(key: str, body: str, titles: Sequence[str]) -> Quest | None:
    heading = re.search(r"^# (.+)$", body, re.M)
    title = heading[1].strip() if heading else key
    steps = tuple(Step(title=step[:80], say="-") for step in titles)
    try:
        return Quest(key=key, title=title[:80], description=title, steps=steps)
    except ValidationError:
        return None
