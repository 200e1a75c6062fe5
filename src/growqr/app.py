"""The composition root: settings in, a running platform out.

Everything with a lifetime is opened in `_open`, in the order in which things need each other,
and closed in the opposite order, also when a later part does not start.
"""

import asyncio
import fcntl
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog
from pyrivet import Client, Engine, EngineError, Worker, WorkerError
from pyrivet import find_engine as find_installed_engine
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from growqr.agents.backing import BackingServices
from growqr.agents.factories import actor_factories
from growqr.agents.memory import Memory
from growqr.agents.services import AgentServices
from growqr.api.agents_gateway import AgentGateway
from growqr.api.app_factory import create_api
from growqr.api.events import EventHub
from growqr.api.export_folder import ExportFolder
from growqr.api.exports import Exports
from growqr.api.provisioning import provision
from growqr.api.services import Billing, Services
from growqr.billing.entitlement import Entitlements
from growqr.db.engine import Database
from growqr.errors import GrowError
from growqr.git.commits import CommitService
from growqr.git.hosting import open_hosting
from growqr.git.http import GitHttp
from growqr.git.pushes import Pushes
from growqr.git.repos import RepoService
from growqr.git.tokens import GitTokens
from growqr.identity.accounts import Accounts
from growqr.identity.tokens import TokenService
from growqr.models.gateway import ModelGateway
from growqr.models.provider import LanguageModel
from growqr.opencode import Workspaces
from growqr.secret_files import own_secret
from growqr.settings import Settings
from growqr.settling import settle

if TYPE_CHECKING:
    from growqr.identity.clerk import ClerkIdentity

Role = Literal["all", "api", "worker"]

log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """The platform can't start; the text says why and what to do."""


@contextmanager
def hold_data_folder(folder: Path, role: Role) -> Iterator[None]:
    """Keep a second `growqr up` off the same data folder; raises StartFailed.

    The engine's storage and the sandboxes have one owner. `growqr api` and `growqr worker`
    may share a folder with each other, but not with `growqr up`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StartFailed(
            f"can't write in `{folder.resolve()}`: {error.strerror}. "
            "Set GROWQR_DATA_DIR to a folder you own."
        ) from None
    with lock as file:
        kind = fcntl.LOCK_EX if role == "all" else fcntl.LOCK_SH
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError:
            raise StartFailed(
                f"another growqr is running on `{folder.resolve()}`. "
                "Stop it, or set GROWQR_DATA_DIR to another folder."
            ) from None
        yield


def find_engine(settings: Settings) -> Path:
    """Return the engine's executable; raises StartFailed."""
    if settings.rivet.binary is not None:
        if settings.rivet.binary.is_file():
            return settings.rivet.binary.resolve()
        raise StartFailed(f"GROWQR_RIVET__BINARY: there is no file `{settings.rivet.binary}`")
    for start in (Path(__file__).parent, Path.cwd()):
        with suppress(EngineError):
            return find_installed_engine(start)
    raise StartFailed(
        "Rivet Engine is not installed. Run `./grow setup`, or set GROWQR_RIVET__BINARY to its "
        "executable, or GROWQR_RIVET__ENDPOINT to the address of a running one."
    )


def create_app(settings: Settings, role: Role) -> ASGIApp:
    """Return the ASGI application; its lifespan opens and closes the whole platform."""
    inner: list[ASGIApp] = []
    known: list[StartFailed] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                inner.append(await _open(settings, role, stack))
            except (EngineError, WorkerError, GrowError, StartFailed, OSError) as error:
                log.info("platform.not_started", exc_info=True)
                known.append(StartFailed(str(error)))
                raise known[0] from error
            settle()
            yield

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        await inner[0](scope, receive, send)

    platform = Starlette(routes=[Mount("/", app=forward)], lifespan=lifespan)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def plainly(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and known:
                message = {**message, "message": str(known[0])}  # in place of a traceback
            await send(message)

        await platform(scope, receive, plainly if scope["type"] == "lifespan" else send)

    return app


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document, without starting anything."""
    return create_api(None, static_dir=None, git_app=None).openapi()


async def _open(settings: Settings, role: Role, stack: AsyncExitStack) -> ASGIApp:
    data = settings.data_dir.resolve()
    secrets = data / "secrets"
    db = Database(settings.db_url)
    stack.push_async_callback(db.aclose)
    await db.migrate()
    hosting = await stack.enter_async_context(open_hosting(settings.git, data, db))
    forge = hosting.forge
    commits = CommitService(forge, settings.git)
    memory = Memory(forge, commits, data / "cache" / "memory")
    repos = RepoService(db, forge, commits, settings)
    tokens = TokenService.open(secrets, timedelta(minutes=settings.identity.access_minutes))
    entitlements = Entitlements(settings.billing, db)
    endpoint, engine_token = await _engine(settings, data, stack)

    client = Client(
        endpoint,
        namespace=settings.rivet.namespace,
        pool=settings.rivet.pool,
        conn_params=lambda: {"token": tokens.for_agents(role)},
        token=engine_token,
    )
    stack.push_async_callback(client.aclose)

    if role in ("all", "worker"):
        gateway = ModelGateway(settings.model, entitlements=entitlements)
        stack.push_async_callback(gateway.aclose)
        workspaces = Workspaces(settings, gateway, most_of=entitlements.running_workspaces)
        stack.push_async_callback(workspaces.aclose)
        backing = BackingServices(settings.services, tokens)
        stack.push_async_callback(backing.aclose)
        agents = AgentServices(
            settings=settings,
            db=db,
            forge=forge,
            commits=commits,
            memory=memory,
            repos=repos,
            workspaces=workspaces,
            model=LanguageModel(settings.model, when_loaded=settle),
            client=client,
            tokens=tokens,
            backing=backing,
            entitlements=entitlements,
        )
        await _work(settings, role, endpoint, engine_token, agents, stack)
        if role == "worker":
            return Starlette(routes=[Route("/healthz", _healthy)])

    git_tokens = GitTokens(db)
    gateway_to_agents = AgentGateway(client)
    events = EventHub(gateway_to_agents, per_user=settings.limits.sse_per_user)
    stack.push_async_callback(events.aclose)

    async def make_agents(user_id: str) -> object:
        return await provision(services, user_id)

    export_folder = ExportFolder(data / "exports", settings.identity.export_days)
    exports = Exports(export_folder, db, forge, gateway_to_agents)
    stack.push_async_callback(_cancel, asyncio.create_task(exports.run()))
    services = Services(
        settings=settings,
        db=db,
        tokens=tokens,
        accounts=Accounts(db, tokens, settings.identity),
        entitlements=entitlements,
        billing=_billing(settings, db, gateway_to_agents, entitlements, make_agents, stack),
        clerk=_clerk(settings, db, repos, stack),
        forge=forge,
        commits=commits,
        memory=memory,
        repos=repos,
        git_tokens=git_tokens,
        exports=exports,
        agents=gateway_to_agents,
        events=events,
        engine_endpoint=endpoint,
    )
    if services.billing is not None:
        sweeping = asyncio.create_task(services.billing.suspensions.run())
        stack.push_async_callback(_cancel, sweeping)
    git_app = GitHttp(
        hosting.transport, settings.git, git_tokens.authenticate, Pushes(db, forge).record
    )
    return create_api(services, static_dir=find_web(), git_app=git_app)


# The libraries of Clerk and Stripe take 15 MB and half a second of every start, so they are
# loaded only where they are used.


def _clerk(
    settings: Settings, db: Database, repos: RepoService, stack: AsyncExitStack
) -> "ClerkIdentity | None":
    if settings.identity.provider != "clerk":
        return None
    from growqr.identity.clerk import ClerkIdentity

    clerk = ClerkIdentity(settings.identity, db, settings.base_url, before_join=repos.end_access)
    stack.push_async_callback(clerk.aclose)
    return clerk


def _billing(
    settings: Settings,
    db: Database,
    agents: AgentGateway,
    entitlements: Entitlements,
    make_agents: Callable[[str], Awaitable[object]],
    stack: AsyncExitStack,
) -> Billing | None:
    if settings.billing.provider != "stripe":
        return None
    from growqr.api.suspension import Suspensions
    from growqr.billing.stripe_api import StripeApi
    from growqr.billing.subscriptions import Subscriptions

    stripe = StripeApi(settings.billing)
    stack.push_async_callback(stripe.aclose)
    subscriptions = Subscriptions(settings, db, stripe, entitlements)
    suspensions = Suspensions(db, agents, entitlements, subscriptions, make_agents)
    return Billing(subscriptions, suspensions)


async def _cancel(task: asyncio.Task[None]) -> None:
    """End a background task and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _work(
    settings: Settings,
    role: Role,
    endpoint: str,
    engine_token: str | None,
    agents: AgentServices,
    stack: AsyncExitStack,
) -> None:
    """Host actors until the stack closes."""
    # The one `growqr up` of a data folder (see `hold_data_folder`) knows that the process before
    # it is gone, so it may tell the engine so instead of letting it wait.
    last = settings.data_dir / "engine" / "envoy-key"
    gone = last.read_text() if role == "all" and last.exists() else None
    worker = Worker(
        endpoint,
        actor_factories(agents),
        namespace=settings.rivet.namespace,
        pool=settings.rivet.pool,
        token=engine_token,
        takeover=gone,
    )
    await stack.enter_async_context(worker)
    if role == "all":
        last.write_text(worker.envoy_key)
    watching = asyncio.create_task(_stop_with(worker))
    stack.callback(watching.cancel)
    log.info("worker.started", endpoint=endpoint, pool=settings.rivet.pool)


async def _stop_with(worker: Worker) -> None:
    """A worker that ended by itself takes the process along: a supervisor can start it anew."""
    try:
        await worker.wait()
    except WorkerError:
        log.exception("worker.ended")
        signal.raise_signal(signal.SIGTERM)


async def _engine(settings: Settings, data: Path, stack: AsyncExitStack) -> tuple[str, str | None]:
    if settings.rivet.endpoint:
        token = settings.rivet.token.get_secret_value()
        return settings.rivet.endpoint.rstrip("/"), token or None
    token = own_secret(data / "secrets", "engine-token")
    engine = Engine(
        find_engine(settings),
        data / "engine",
        token=token,
        log_file=data / "logs" / "engine.log",
    )
    await stack.enter_async_context(engine)
    log.info("engine.started", endpoint=engine.endpoint)
    return engine.endpoint, token


def find_web() -> Path | None:
    """Return the built web app, or None when it has not been built."""
    built = Path(__file__).resolve().parents[2] / "web" / "dist"
    return built if (built / "index.html").is_file() else None


async def _healthy(_: object) -> JSONResponse:
    return JSONResponse({"status": "ok"})
