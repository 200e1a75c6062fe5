"""An agent that starts with nothing, and finds its past in the user's repository.

Each agent reads its own part: the Grow Agent its channel and all tasks, a sub-agent its channel
and its own tasks. What is read becomes events of a new log, in the order in which it happened,
in one transaction: after a crash in between, the agent still starts with nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from growqr.agents import channels, messages, projection, snapshot, task_rows, tasks
from growqr.agents.eventlog import Change
from growqr.agents.snapshot import SavedMessage, Snapshot, SnapshotInvalid
from growqr.agents.task_files import task_in_file
from growqr.events import ChannelMessage, Task
from growqr.git.forge import BlobNotFound, Forge, RepoRef

if TYPE_CHECKING:
    from growqr.agents.base import AgentActor
    from growqr.agents.grow import GrowAgent
    from growqr.agents.spec import AgentSpec
    from growqr.agents.subagent import SubAgent

MAX_TASKS = 500
"""Task files that are read, the newest by id; older ones stay in Git only."""
_FOLDER = "tasks/"

log = structlog.get_logger(__name__)


async def restore_grow(grow: "GrowAgent") -> None:
    """Bring back the Grow Agent's channel and its view of all tasks, if its log is empty."""
    saved = await _past(grow)
    if saved is None:
        return
    spec = grow.spec
    found = await tasks_in_repo(grow.services.forge, spec, saved)
    said = [message for message in saved.messages if message.agent == spec.name]
    replied = {message.in_reply_to for message in said}
    async with grow.event_log.change() as change:
        channels.add(change, spec.channel_id, spec.actor_id)
        for item in _in_order(said, found):
            if isinstance(item, Task):
                kind = "task.created" if item.status == "queued" else tasks.EVENT_OF[item.status]
                projection.keep(change, item)
                tasks.emit(change, kind, item)
                if not tasks.finished(item):  # to an agent that has it already, this says nothing
                    data = item.model_dump(mode="json")
                    grow.outbox.put(change, item.agent, item.actor_id, "assign", data)
                continue
            stored = _store(change, item)
            if item.role == "user" and item.id not in replied:
                change.execute(
                    "INSERT INTO inbox (message_id, seq) VALUES (?, ?)", stored.id, stored.seq
                )
        channels.read(change, spec.channel_id)
        _keep_stopped(change, saved, spec)
    await grow.load()
    log.info("agent.restored", actor_id=spec.actor_id, messages=len(said), tasks=len(found))


async def restore_sub_agent(agent: "SubAgent") -> list[Task]:
    """Bring back a sub-agent's channel and its tasks, if its log is empty; returns the tasks.

    A task that was at work begins anew: what it had committed is found again by its operation.
    """
    saved = await _past(agent)
    if saved is None:
        return []
    spec = agent.spec
    everything = await tasks_in_repo(agent.services.forge, spec, saved)
    own = [task for task in everything if task.agent == spec.name]
    said = [message for message in saved.messages if message.agent == spec.name]
    async with agent.event_log.change() as change:
        for message in said:
            _store(change, message)
        for position, task in enumerate(own, start=1):
            if task.status in ("running", "waiting"):
                task = task.model_copy(update={"status": "queued", "reason": None})
            task_rows.add(change, task, position - len(own))  # before every task of the new log
        for task in everything:
            if task.requested_by == spec.actor_id and tasks.finished(task):
                change.execute(
                    "INSERT INTO delegated (id, json) VALUES (?, ?)",
                    task.id,
                    task.model_dump_json(),
                )
        _keep_stopped(change, saved, spec)
        await agent.restore_more(change, saved, own)
    await agent.load()
    log.info("agent.restored", actor_id=spec.actor_id, messages=len(said), tasks=len(own))
    return own


async def tasks_in_repo(forge: Forge, spec: "AgentSpec", saved: Snapshot) -> list[Task]:
    """Return the user's tasks, oldest first: files of finished ones, the snapshot for the rest."""
    agents = {name: sibling.actor_id for name, sibling in spec.siblings.items()}
    agents[spec.name] = spec.actor_id
    found = {task.id: task for task in saved.tasks if task.agent in agents}
    recorded = set(found) & {task.id for task in saved.tasks if tasks.finished(task)}
    for path in await _task_files(forge, spec.repo):
        task_id = path.removeprefix(_FOLDER).removesuffix(".md")
        if task_id in recorded:
            continue
        data = await forge.blob(spec.repo, path)
        task = task_in_file(task_id, data.decode(errors="replace"), agents)
        if task is not None:
            known = found.get(task_id)
            found[task_id] = task if known is None else _ended(known, task)
    renamed = (task.model_copy(update={"actor_id": agents[task.agent]}) for task in found.values())
    return sorted(renamed, key=lambda task: (task.created_at, task.id))


async def _past(agent: "AgentActor") -> Snapshot | None:
    """Return the snapshot to start from; None: the log is not empty, or this is a first life."""
    if agent.event_log.last_seq:
        return None
    try:
        saved = await snapshot.read(agent.services.forge, agent.spec.repo)
    except SnapshotInvalid as error:
        log.warning("restore.refused", actor_id=agent.spec.actor_id, reason=error.detail)
        return None
    if saved is None:
        return None
    lived = any(actor.name == agent.spec.name and actor.seen for actor in saved.actors)
    return saved if lived else None


async def _task_files(forge: Forge, repo: RepoRef) -> list[str]:
    try:
        entries = await forge.tree(repo, path=_FOLDER.rstrip("/"))
    except BlobNotFound:
        return []
    files = [e.path for e in entries if e.type == "file" and e.path.endswith(".md")]
    return sorted(files)[-MAX_TASKS:]


def _ended(known: Task, recorded: Task) -> Task:
    """Return the unfinished task of the snapshot as its record says that it ended."""
    fields = ("status", "reason", "result", "updated_at", "progress")
    return known.model_copy(update={name: getattr(recorded, name) for name in fields})


def _in_order(said: Sequence[SavedMessage], found: Sequence[Task]) -> list[SavedMessage | Task]:
    def when(item: SavedMessage | Task) -> datetime:
        at = item.updated_at if isinstance(item, Task) else item.at
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    return sorted([*said, *found], key=when)


def _store(change: Change, saved: SavedMessage) -> ChannelMessage:
    return messages.store(
        change,
        message_id=saved.id,
        role=saved.role,
        author=saved.author,
        text=messages.cut(saved.text),
        in_reply_to=saved.in_reply_to,
        metadata=saved.metadata,
        at=saved.at,
    )


def _keep_stopped(change: Change, saved: Snapshot, spec: "AgentSpec") -> None:
    if any(actor.name == spec.name and actor.status == "stopped" for actor in saved.actors):
        change.execute("INSERT OR REPLACE INTO meta VALUES ('running', '0')")
