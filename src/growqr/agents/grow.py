"""The Grow Agent: talks with its user, remembers, delegates, and knows of every task."""

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import structlog
from pyrivet import ActionError, RivetError, action

from growqr.agents import channels, journal, messages, projection, records, tasks
from growqr.agents.base import AgentActor
from growqr.agents.delegation import Delegation
from growqr.agents.eventlog import Change
from growqr.agents.instructions import instructions
from growqr.agents.outbox import Letter
from growqr.agents.quest import StartQuest
from growqr.agents.records import Records
from growqr.agents.reports import Reports
from growqr.agents.restore import restore_grow
from growqr.agents.services import AgentServices
from growqr.agents.snapshot_writer import SnapshotWriter
from growqr.agents.turn import HISTORY_MESSAGES, Turn
from growqr.agents.turn_memory import TurnMemory
from growqr.agents.welcome import welcome
from growqr.errors import GrowError, Unavailable
from growqr.events import ChannelMessage, Event, Task, TaskStatus, now
from growqr.git.forge import Author
from growqr.ids import derived_id

if TYPE_CHECKING:
    from pydantic_ai import Agent

SCHEMA = channels.SCHEMA + journal.SCHEMA + projection.SCHEMA + records.SCHEMA

log = structlog.get_logger(__name__)

# Building one takes 14 ms and 55 kB, and it holds no state: all of a worker's actors share it.
_agents: "WeakKeyDictionary[AgentServices, Agent[Turn, str]]" = WeakKeyDictionary()


class GrowAgent(AgentActor):
    """A user's master agent. Its event stream holds its sub-agents' events too."""

    schema = AgentActor.schema + SCHEMA

    def __init__(self, services: AgentServices) -> None:
        super().__init__(services)
        self.recent: deque[ChannelMessage] = deque(maxlen=HISTORY_MESSAGES + 1)
        """The channel's newest messages, oldest first."""
        self.snapshots = SnapshotWriter(self)
        self.records = Records(self)
        self.reports = Reports(self)

    @cached_property
    def author(self) -> Author:
        """Who this agent's commits are by."""
        return Author(self.spec.actor_id, self.spec.name, self.spec.capabilities)

    # Life

    async def load(self) -> None:
        await super().load()
        await self.reports.load()
        await self.snapshots.load()
        newest = await messages.page(self, None, HISTORY_MESSAGES)
        self.recent.clear()
        self.recent.extend(newest)

    async def begin(self) -> None:
        await restore_grow(self)
        known = {channel["actor_id"] for channel in await channels.rows(self)}
        async with self.event_log.change() as change:
            if self.spec.actor_id not in known:
                channels.add(change, self.spec.channel_id, self.spec.actor_id)
                offline = self.services.model.offline
                self.say(
                    change,
                    welcome(self.spec.user_name, offline=offline),
                    message_id=derived_id("msg", self.spec.actor_id, "welcome"),
                    metadata={"offline": offline},
                )
            for name, sibling in self.spec.siblings.items():
                if sibling.actor_id not in known:
                    channels.add(change, sibling.channel_id, sibling.actor_id)
                    change.emit("agent.spawned", {"name": name, **sibling.model_dump()})
        self.records.wake()
        self.snapshots.wait()
        if not self.services.model.loaded:
            self.spawn(self.services.model.load(), name="model")  # a message may follow soon

    async def on_sleep(self) -> None:
        self.snapshots.stop()
        if not self.gone:
            await self.snapshots.write()

    async def on_destroy(self) -> None:
        self.snapshots.stop()
        if not self.gone:
            await self.services.memory.erase(self.spec.repo)

    async def running_changed(self) -> None:
        if not self.running:
            await self.snapshots.write()  # a rest may be long

    def before_commit(self, change: Change) -> None:
        for event in list(change.events):
            channels.follow(change, event)

    def heard(self, events: list[Event]) -> None:
        for event in events:
            if event.channel_id == self.spec.channel_id and event.type.startswith("message."):
                fields = {**event.data, "id": event.data["message_id"]}
                self.recent.append(ChannelMessage(seq=event.seq or 0, at=event.at, **fields))
        self.snapshots.wait()

    # Messages

    async def on_message(self, message: ChannelMessage) -> None:
        """Run the message's turn; the reply and the end of the turn are one transaction."""
        recovered = message.id in self.recovered
        saved = await journal.entries(self, message.id) if recovered else {}
        context = await self.services.memory.context(self.spec.repo)
        turn = Turn(
            grow=self,
            message=message,
            instructions=instructions(
                self.spec, context.text, now(), self.services.settings.services
            ),
            saved=saved,
            memory=TurnMemory(self, message, context.head, saved),
        )
        text = await self._run(turn)
        await turn.memory.commit()
        model = self.services.model
        metadata = {
            "model": model.name,
            "offline": model.offline,
            "task_ids": turn.task_ids,
        }
        await self.reply(message, text + turn.memory.remark(), metadata=metadata)

    async def _run(self, turn: Turn) -> str:
        agent = await _agent_of(self.services)
        from growqr.agents.turns import run_turn

        earlier = [known for known in self.recent if known.seq < turn.message.seq]
        try:
            return await run_turn(agent, turn, earlier)
        except Exception:
            await turn.memory.commit()  # what its tools did is not taken back
            raise
        finally:
            if not self.services.model.offline:
                usage = self.services.entitlements.usage
                await usage.add(self.spec.user_id, model_tokens=turn.tokens)

    def mark_handled(self, change: Change, message_id: str, *, busy: bool = False) -> None:
        super().mark_handled(change, message_id, busy=busy)
        journal.drop(change, message_id)

    # Tasks

    def planned(self, request: Delegation) -> Task:
        """Return the task that a delegation stands for. Raises ActionError `not_found`."""
        sibling = self.spec.siblings.get(request.agent)
        if sibling is None:
            raise ActionError("not_found", f"There is no agent `{request.agent[:64]}`.")
        return Task(
            id=request.task_id,
            actor_id=sibling.actor_id,
            agent=request.agent,
            title=tasks.title_of(request.title),
            prompt=messages.cut(request.prompt, tasks.MAX_PROMPT_BYTES),
            requested_by=request.requested_by,
            message_id=request.message_id,
            **({"kept": request.kept} if request.kept else {}),
        )

    def add_task(self, change: Change, task: Task) -> None:
        """Add a new task, its event and its way to the agent to `change`."""
        tasks.emit(change, "task.created", task)
        projection.keep(change, task)
        data = task.model_dump(mode="json")
        self.outbox.put(change, task.agent, task.actor_id, "assign", data)

    async def refused(self, letter: Letter, error: ActionError) -> None:
        """An agent would not take a task: the task has failed."""
        if letter.action != "assign":
            return
        async with self.event_log.change() as change:
            task = await projection.find(self, letter.args[0]["id"])
            if task is not None and not tasks.finished(task):
                reason = error.message or error.code
                failed = tasks.moved(task, status="failed", reason=reason)
                tasks.emit(change, "task.failed", failed)
                projection.keep(change, failed)
                self.reports.ended(change, failed)

    async def ask(self, name: str, action_name: str, *args: Any) -> Any:
        """Call an action, one that bears repeats, of a sibling.

        Raises ActionError when it refuses and Unavailable when it does not answer.
        """
        sibling = self.spec.siblings.get(name)
        if sibling is None:
            raise ActionError("not_found", f"There is no agent `{name}`.")
        handle = self.services.client.get_or_create(name, [sibling.actor_id])
        try:
            return await handle.call(action_name, *args, retry=True)
        except ActionError:
            raise
        except RivetError as error:
            raise Unavailable(f"The {name} agent does not answer now.") from error

    def start_coding(self) -> None:
        """Start the coding agent's server: a task for it is on its way."""
        self.spawn(self._start_coding(), name="start coding")

    async def _start_coding(self) -> None:
        try:
            await self.services.entitlements.require(self.spec.user_id, "coding")
            await self.ask("coding", "workspace_start")
        except (ActionError, GrowError) as error:
            log.info("coding.not_started_early", actor_id=self.spec.actor_id, error=str(error))

    # Actions

    @action(concurrent=True)
    async def tasks(
        self, status: TaskStatus | None, before: int | None, limit: int
    ) -> dict[str, Any]:
        """Return `{items, before}`: a page of the user's tasks, newest first."""
        return await projection.page(self, status, before, self.page_size(limit))

    @action(concurrent=True)
    async def task(self, task_id: str) -> dict[str, Any]:
        """Return one task."""
        return (await self._known(task_id)).model_dump(mode="json")

    @action(concurrent=True)
    async def pause_task(self, task_id: str) -> dict[str, Any]:
        """Interrupt a task. Refused with `conflict` when it is finished."""
        return await self._steer(task_id, "pause")

    @action(concurrent=True)
    async def resume_task(self, task_id: str) -> dict[str, Any]:
        """Let a paused task go on. Refused with `conflict` when it is finished."""
        return await self._steer(task_id, "resume")

    @action(concurrent=True)
    async def cancel_task(self, task_id: str) -> dict[str, Any]:
        """End a task for good. Refused with `conflict` when it is completed or failed."""
        return await self._steer(task_id, "cancel")

    @action
    async def delegate(self, request: Delegation) -> dict[str, Any]:
        """Hand a task to an agent; the same `task_id` returns the task as it is now."""
        known = await projection.find(self, request.task_id)
        if known is None:
            known = self.planned(request)
            async with self.event_log.change() as change:
                self.add_task(change, known)
        return known.model_dump(mode="json")

    @action
    async def ingest(self, source_actor_id: str, events: list[Event]) -> dict[str, Any]:
        """Take a sub-agent's events in order, each once; returns `{after}`: the last one taken.

        Refused with `out_of_order` and the same `after` when one in between is missing.
        """
        return {"after": await self.reports.take(source_actor_id, events)}

    @action(concurrent=True)
    async def channels(self) -> dict[str, Any]:
        """Return how every channel of the user stands."""
        return {
            row["channel_id"]: {key: row[key] for key in ("status", "unread", "last_message_at")}
            for row in await channels.rows(self)
        }

    @action
    async def mark_read(self, channel_id: str) -> None:
        """Note that the user has seen all of a channel, and tell their other windows."""
        async with self.event_log.change() as change:
            channels.read(change, channel_id)
        await self.event_log.tell("channel.read", channel_id)

    @action(concurrent=True)
    async def start_quest(self, wish: StartQuest) -> dict[str, Any]:
        """Have the quest agent start a quest; the same `run_id` starts it once."""
        run: dict[str, Any] = await self.ask("quest", "start_quest", wish.model_dump())
        return run

    async def _known(self, task_id: str) -> Task:
        task = await projection.find(self, task_id)
        if task is None:
            raise ActionError("not_found", "No task of that id.")
        return task

    async def _steer(self, task_id: str, action_name: str) -> dict[str, Any]:
        task = await self._known(task_id)
        if tasks.finished(task) and not (task.status == "cancelled" and action_name == "cancel"):
            raise ActionError("conflict", f"The task is already {task.status}.")
        if task.status == "queued":  # it may not have reached its agent yet
            await self.ask(task.agent, "assign", task.model_dump(mode="json"))
        answer = Task.model_validate(await self.ask(task.agent, action_name, task_id))
        # The agent's event follows and tells everyone; who asks meanwhile should see it too.
        async with self.event_log.change() as change:
            if not tasks.finished(answer):
                projection.keep(change, projection.merged(await self._known(task_id), answer))
        return answer.model_dump(mode="json")


async def _agent_of(services: AgentServices) -> "Agent[Turn, str]":
    model = await services.model.load()
    agent = _agents.get(services)
    if agent is None:
        from growqr.agents.turns import build_agent  # the model's library is there by now

        seconds = services.settings.model.request_seconds
        agent = _agents[services] = build_agent(model, request_seconds=seconds)
    return agent
