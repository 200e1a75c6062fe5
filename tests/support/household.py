"""One person's agents on a real engine, forge and sandbox, in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic_ai.models import Model
from pyrivet import Client, EventsLost, Worker

from growqr.agents.backing import BackingServices
from growqr.agents.factories import actor_factories
from growqr.agents.memory import Memory
from growqr.agents.services import AgentServices
from growqr.api.provisioning import CAPABILITIES, agent_names
from growqr.billing.entitlement import Entitlements
from growqr.db.engine import Database
from growqr.db.tables import ActorRow, User
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import RepoRef
from growqr.git.repos import RepoService, ref_of
from growqr.identity.tokens import TokenService
from growqr.ids import new_id
from growqr.models.gateway import ModelGateway
from growqr.models.provider import LanguageModel
from growqr.opencode import Workspaces
from growqr.settings import BackingService, ModelSettings, SandboxSettings, Settings

Json = dict[str, Any]


@dataclass
class Household:
    """Ada's agents. `stop` and `start` are a restart of the worker process."""

    settings: Settings
    endpoint: str
    pool: str
    model: Model | None = None
    actor_ids: dict[str, str] = field(default_factory=dict)
    repo: RepoRef = field(default_factory=lambda: RepoRef("", "", ""))

    async def start(self) -> None:
        self._stack = AsyncExitStack()
        data = self.settings.data_dir
        self.db = Database(self.settings.db_url)
        self._stack.push_async_callback(self.db.aclose)
        await self.db.migrate()
        self.forge = EmbeddedForge(data / "git", self.settings.git)
        self._stack.callback(self.forge.close)
        commits = CommitService(self.forge, self.settings.git)
        self.repos = RepoService(self.db, self.forge, commits, self.settings)
        entitlements = Entitlements(self.settings.billing, self.db)
        gateway = ModelGateway(self.settings.model, entitlements=entitlements)
        self._stack.push_async_callback(gateway.aclose)
        workspaces = Workspaces(self.settings, gateway, most_of=entitlements.running_workspaces)
        self._stack.push_async_callback(workspaces.aclose)
        tokens = TokenService.open(data / "secrets", timedelta(hours=1))
        self.client = Client(
            self.endpoint,
            pool=self.pool,
            conn_params=lambda: {"token": tokens.for_agents("test")},
        )
        self._stack.push_async_callback(self.client.aclose)
        backing = BackingServices(self.settings.services, tokens)
        self._stack.push_async_callback(backing.aclose)
        services = AgentServices(
            settings=self.settings,
            db=self.db,
            forge=self.forge,
            commits=commits,
            memory=Memory(self.forge, commits),
            repos=self.repos,
            workspaces=workspaces,
            model=LanguageModel(self.settings.model, self.model),
            client=self.client,
            tokens=tokens,
            backing=backing,
            entitlements=entitlements,
        )
        if not self.actor_ids:
            await self._register()
        await self._stack.enter_async_context(
            Worker(self.endpoint, actor_factories(services), pool=self.pool)
        )

    async def stop(self) -> None:
        await self._stack.aclose()

    async def call(self, agent: str, action: str, *arguments: Any) -> Any:
        """Call an action of one of Ada's agents."""
        handle = self.client.get_or_create(agent, [self.actor_ids[agent]])
        return await handle.call(action, *arguments, retry=True)

    async def say(self, agent: str, text: str, **more: Any) -> str:
        """Post a message of Ada's; returns its id."""
        return str((await self.call(agent, "post_message", {"text": text, **more}))["message_id"])

    async def event(self, agent: str, wanted: Callable[[Json], bool], after: int = 0) -> Json:
        """Return the first event of an agent that is `wanted`, past or to come."""
        handle = self.client.get_or_create(agent, [self.actor_ids[agent]])
        async with handle.subscribe("event") as live:
            while True:
                page = await self.call(agent, "events", after, 100)
                for event in page:
                    if wanted(event):
                        return dict(event)
                if page:
                    after = page[-1]["seq"]
                    continue
                with suppress(EventsLost):  # the next page has them
                    async for (event,) in live:
                        if event["seq"] is not None and event["seq"] > after:
                            break

    async def reply(self, agent: str, message_id: str) -> str:
        """Wait for the answer to a message and return its text."""
        event = await self.event(
            agent,
            lambda e: e["type"] == "message.completed" and e["data"]["in_reply_to"] == message_id,
        )
        return str(event["data"]["text"])

    async def ask(self, agent: str, text: str) -> str:
        """Post a message and return its answer."""
        return await self.reply(agent, await self.say(agent, text))

    async def log(self, agent: str) -> list[Json]:
        """Return every stored event of an agent."""
        events: list[Json] = []
        while page := await self.call(agent, "events", events[-1]["seq"] if events else 0, 100):
            events += page
        return events

    async def read(self, path: str) -> str:
        """Return a file of Ada's repository."""
        return (await self.forge.blob(self.repo, path)).decode()

    async def _register(self) -> None:
        user = User(id=new_id("usr"), email="ada@example.com", name="Ada", password_hash=None)
        async with self.db.session() as session:
            session.add(user)
        self.repo = ref_of(await self.repos.ensure_primary(user.id))
        grow_id = new_id("act")
        for name in agent_names(self.settings):
            actor_id = grow_id if name == "grow" else new_id("act")
            async with self.db.session() as session:
                session.add(
                    ActorRow(
                        id=actor_id,
                        user_id=user.id,
                        type="grow" if name == "grow" else "agent",
                        name=name,
                        parent_id=None if name == "grow" else grow_id,
                        channel_id=new_id("chn"),
                        repo_id=self.repo.id,
                        workspace_id=new_id("wsp"),
                        workspace_path=None,
                        capabilities="\n".join(CAPABILITIES[name]),
                    )
                )
            self.actor_ids[name] = actor_id


@asynccontextmanager
async def household(
    folder: Path,
    endpoint: str,
    model: Model | None = None,
    model_settings: ModelSettings | None = None,
    services: tuple[BackingService, ...] = (),
    sandbox: SandboxSettings | None = None,
) -> AsyncIterator[Household]:
    """Start a worker with Ada's agents on the engine at `endpoint`; it ends with the block.

    `model` is what the agents use instead of the one in the settings, which sandboxes use.
    """
    settings = Settings(
        data_dir=folder,
        model=model_settings or ModelSettings(),
        sandbox=sandbox or SandboxSettings(),
        services=services,
    )
    home = Household(settings, endpoint, new_id("pool"), model)
    await home.start()
    try:
        yield home
    finally:
        await home.stop()
