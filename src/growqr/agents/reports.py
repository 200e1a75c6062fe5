"""What sub-agents report: their events, taken in order and once each."""

from typing import TYPE_CHECKING

from pyrivet import ActionError

from growqr.agents import projection, tasks
from growqr.agents.eventlog import Change
from growqr.events import Event, Task
from growqr.ids import derived_id

if TYPE_CHECKING:
    from growqr.agents.grow import GrowAgent


class Reports:
    """Merges the sub-agents' streams into the Grow Agent's and keeps its view of tasks."""

    def __init__(self, grow: "GrowAgent") -> None:
        self._grow = grow
        self._taken: dict[str, int] = {}

    async def load(self) -> None:
        """Read how far each agent's events have been taken."""
        self._taken = await projection.sources(self._grow)

    async def take(self, actor_id: str, events: list[Event]) -> int:
        """Take what is new and return the number of the last event taken.

        Raises ActionError: `not_found` for a stranger; `out_of_order`, with `after` in its
        metadata, when an event before these is missing.
        """
        if actor_id not in {sibling.actor_id for sibling in self._grow.spec.siblings.values()}:
            raise ActionError("not_found", "These events come from no agent of this user.")
        async with self._grow.event_log.change() as change:
            after = self._taken.get(actor_id, 0)
            new = [event for event in events if event.seq is not None and event.seq > after]
            if not new:
                return after
            if [event.seq for event in new] != list(range(after + 1, after + 1 + len(new))):
                raise ActionError("out_of_order", "Events are missing.", {"after": after})
            known = await projection.find_all(
                self._grow, {event.task_id for event in new if event.task_id}
            )
            for event in new:
                self._take_one(change, event, known)
            last = after + len(new)
            change.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", actor_id, last)
            change.then(lambda: self._taken.__setitem__(actor_id, last))
        return last

    def ended(self, change: Change, task: Task) -> None:
        """Add to `change` what follows from the end of a task: who asked hears of it."""
        spec = self._grow.spec
        askers = {s.actor_id: name for name, s in spec.siblings.items()}
        if task.requested_by == spec.actor_id:
            self._grow.say(
                change,
                notice(task),
                message_id=derived_id("msg", task.id, "notice"),
                metadata={"task_id": task.id, "task_ids": [task.id], "status": task.status},
            )
        elif task.requested_by in askers and task.requested_by != task.actor_id:
            data = task.model_dump(mode="json")
            asker = askers[task.requested_by]
            self._grow.outbox.put(change, asker, task.requested_by, "task_finished", data)
        self._grow.records.put(change, task)

    def _take_one(self, change: Change, event: Event, known: dict[str, Task]) -> None:
        if event.type == "task.created" and event.task_id in known:
            return  # the Grow Agent said so itself when it delegated the task
        change.emit(
            event.type,
            event.data,
            task_id=event.task_id,
            at=event.at,
            actor_id=event.actor_id,
            channel_id=event.channel_id,
            source_seq=event.seq,
        )
        news = projection.task_in(event)
        if news is None:
            return
        before = known.get(news.id)
        after = projection.merged(before, news)
        known[news.id] = after
        projection.keep(change, after)
        if tasks.finished(after) and not (before and tasks.finished(before)):
            self.ended(change, after)


def notice(task: Task) -> str:
    """Return what the user is told in #grow when a delegated task ends."""
    if task.status != "completed":
        why = f": {task.reason}" if task.reason else "."
        return f"The {task.agent} agent's task “{task.title}” {_ended(task)}{why}"
    summary = task.result.summary if task.result else ""
    text = f"The {task.agent} agent finished “{task.title}”.\n\n{summary}".strip()
    result = task.result
    if result is not None and result.commit and result.commit[:10] not in summary:
        where = f" on branch `{result.branch}`" if result.branch else ""
        text += f"\n\nCommit `{result.commit[:10]}`{where}."
    return text


def _ended(task: Task) -> str:
    return "was cancelled" if task.status == "cancelled" else "failed"
