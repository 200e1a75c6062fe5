"""A user's agents in a worker of this process, on a real engine, database and forge."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from pydantic_ai.models import Model
from pyrivet import Actor, ActorHandle, Client, EventsLost, Worker

from growqr.agents.backing import BackingServices
from growqr.agents.grow import GrowAgent
from growqr.agents.job import TaskFailed, TaskJob, Unanswered
from growqr.agents.memory import Memory
from growqr.agents.questions import Asking
from growqr.agents.services import AgentServices
from growqr.agents.subagent import SubAgent
from growqr.billing.entitlement import Entitlements
from growqr.db.engine import Database
from growqr.db.tables import ActorRow, User
from growqr.events import TaskResult
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import RepoRef
from growqr.git.repos import RepoService, ref_of
from growqr.identity.tokens import TokenService
from growqr.models.provider import LanguageModel
from growqr.opencode.workspaces import Workspaces
from growqr.settings import Settings

ActorMakers = Mapping[str, Callable[[AgentServices], Actor]]


@dataclass
class World:
    """One user with a Grow Agent and sub-agents; `client` is what the api would use."""

    services: AgentServices
    client: Client
    endpoint: str
    pool: str
    user_id: str
    ids: dict[str, str]
    repo: RepoRef

    def agent(self, name: str) -> ActorHandle:
        return self.client.get_or_create(name, [self.ids[name]])

    def stranger(self, params: dict[str, Any]) -> Client:
        """Return a client with connection parameters of its own."""
        return Client(self.endpoint, pool=self.pool, conn_params=params)

    async def post(self, text: str, *, to: str = "grow", **more: Any) -> str:
        """Post as the user; returns the message's id."""
        posted = await self.agent(to).call("post_message", {"text": text, **more})
        return str(posted["message_id"])

    async def events(self, name: str = "grow") -> list[dict[str, Any]]:
        """Return every stored event, and see that the numbers have no gaps."""
        found: list[dict[str, Any]] = []
        while page := await self.agent(name).call("events", len(found), 200, retry=True):
            found += page
        assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
        return found

    async def until(
        self, wanted: Callable[[dict[str, Any]], bool], *, at: str = "grow"
    ) -> dict[str, Any]:
        """Return the first event that is wanted, stored already or still to come."""
        async with self.agent(at).subscribe("event") as arriving:
            for event in await self.events(at):
                if wanted(event):
                    return event
            while True:
                try:
                    async for (event,) in arriving:
                        if wanted(event):
                            return cast("dict[str, Any]", event)
                except EventsLost:
                    for event in await self.events(at):
                        if wanted(event):
                            return event

    async def reply_to(self, message_id: str, *, at: str = "grow") -> dict[str, Any]:
        """Return the data of the answer to a message."""
        event = await self.until(lambda e: e["data"].get("in_reply_to") == message_id, at=at)
        return cast("dict[str, Any]", event["data"])

    async def answers(self, message_id: str, *, at: str = "grow") -> list[dict[str, Any]]:
        """Return every answer to a message."""
        events = await self.events(at)
        return [e["data"] for e in events if e["data"].get("in_reply_to") == message_id]

    async def task_event(self, kind: str, task_id: str, *, at: str = "grow") -> dict[str, Any]:
        """Return the first event of one type about a task."""
        return await self.until(lambda e: e["type"] == kind and e["task_id"] == task_id, at=at)


class Worker1(SubAgent):
    """A coding agent whose tasks do what their first word says."""

    gates: dict[str, asyncio.Event]

    async def run_task(self, job: TaskJob) -> TaskResult:
        word, _, rest = job.task.prompt.partition(" ")
        if word == "fail":
            raise TaskFailed(rest)
        if word == "ask":
            answer = await job.ask(rest)
            return TaskResult(summary=f"You said: {answer}")
        if word == "ask-shortly":
            asking = Asking(rest, options=["Yes", "No"], kind="permission", seconds=0.05)
            try:
                return TaskResult(summary=f"You said: {await job.ask(asking)}")
            except Unanswered as unanswered:
                return TaskResult(summary=f"Without it: {unanswered}")
        if word == "log":
            for line in range(int(rest)):
                await job.log("stdout", f"line {line} " + "x" * 80)
        if word == "wait":
            await job.save("runs", (job.saved("runs") or 0) + 1)
            await job.progress(0.5, "half way")
            await gate(rest).wait()
            return TaskResult(summary=f"run {job.saved('runs')}")
        if word == "delegate":
            task = await job.delegate("coding", "part", rest, "part")
            return TaskResult(summary=f"part: {task.status}")
        if word == "misdirect":
            task = await job.delegate("nobody", "part", rest, "part")
            return TaskResult(summary=f"part: {task.status}, {task.reason}")
        return TaskResult(summary=f"did: {job.task.prompt}", commit="c" * 40, branch="main")


_gates: dict[str, asyncio.Event] = {}


def gate(name: str) -> asyncio.Event:
    """Return the event that tasks of this name wait for."""
    return _gates.setdefault(name, asyncio.Event())


ACTORS: ActorMakers = {"grow": GrowAgent, "coding": Worker1, "repo": Worker1}


@asynccontextmanager
async def world(
    folder: Path,
    endpoint: str,
    *,
    model: Model | None = None,
    actors: ActorMakers = ACTORS,
    settings: Settings | None = None,
) -> AsyncIterator[World]:
    """Run a worker with a fresh user's agents."""
    settings = (settings or Settings()).model_copy(update={"data_dir": folder})
    (folder / "db").mkdir(parents=True, exist_ok=True)
    pool = f"test-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        services = await open_services(stack, settings, endpoint, pool, model)
        user_id, ids, repo = await add_user(services, list(actors))
        makers = {name: _maker(make, services) for name, make in actors.items()}
        await stack.enter_async_context(Worker(endpoint, makers, pool=pool))
        yield World(services, services.client, endpoint, pool, user_id, ids, repo)


async def open_services(
    stack: AsyncExitStack, settings: Settings, endpoint: str, pool: str, model: Model | None
) -> AgentServices:
    """Open what agents need, without workspaces."""
    db = Database(settings.db_url)
    stack.push_async_callback(db.aclose)
    await db.migrate()
    forge = EmbeddedForge(settings.data_dir / "git", settings.git)
    stack.callback(forge.close)
    commits = CommitService(forge, settings.git)
    tokens = TokenService.open(settings.data_dir / "secrets", timedelta(hours=1))
    client = Client(endpoint, pool=pool, conn_params=lambda: {"token": tokens.for_agents("test")})
    stack.push_async_callback(client.aclose)
    backing = BackingServices(settings.services, tokens)
    stack.push_async_callback(backing.aclose)
    return AgentServices(
        settings=settings,
        db=db,
        forge=forge,
        commits=commits,
        memory=Memory(forge, commits),
        repos=RepoService(db, forge, commits, settings),
        workspaces=cast("Workspaces", None),  # these agents run no OpenCode
        model=LanguageModel(settings.model, model),
        client=client,
        tokens=tokens,
        backing=backing,
        entitlements=Entitlements(settings.billing, db),
    )


async def add_user(
    services: AgentServices, names: list[str]
) -> tuple[str, dict[str, str], RepoRef]:
    """Put a user and their agents into the registry."""
    mark = secrets.token_hex(4)
    user_id = f"usr_{mark}"
    ids = {name: f"act_{name}_{mark}" for name in names}
    async with services.db.session() as session:
        session.add(User(id=user_id, email=f"{mark}@example.com", name="Ada", password_hash=None))
    row = await services.repos.ensure_primary(user_id)
    async with services.db.session() as session:
        for name in names:
            session.add(
                ActorRow(
                    id=ids[name],
                    user_id=user_id,
                    type="grow" if name == "grow" else "agent",
                    name=name,
                    parent_id=None if name == "grow" else ids["grow"],
                    channel_id=f"chn_{name}_{mark}",
                    repo_id=row.id,
                    workspace_id=None,
                    workspace_path=None,
                    capabilities="git.commit:**",
                )
            )
            await session.flush()
    return user_id, ids, ref_of(row)


def _maker(make: Callable[[AgentServices], Actor], services: AgentServices) -> Callable[[], Actor]:
    return lambda: make(services)
