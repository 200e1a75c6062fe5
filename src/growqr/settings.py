"""Every setting, read from the environment with the prefix `GROWQR_`.

Groups nest with two underscores: `GROWQR_MODEL__PROVIDER=anthropic`. The defaults run
everything on one machine without an account or a key.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RivetSettings(BaseModel):
    """The actor engine."""

    endpoint: str = ""
    """Address of a running Rivet Engine; empty: run one as a child process."""
    token: SecretStr = SecretStr("")
    """Admin token of that engine, if it asks for one."""
    namespace: str = "default"
    pool: str = "growqr"
    binary: Path | None = None
    """The engine's executable; None: the one that npm installed."""


class GitSettings(BaseModel):
    """Where users' repositories live."""

    provider: Literal["embedded", "gitea"] = "embedded"
    gitea_url: str = ""
    """Where Gitea (1.22 or newer) is; only our own processes need to reach it."""
    gitea_token: SecretStr = SecretStr("")
    """Token of an account that may make organisations, with the scopes `write:organization`
    and `write:repository`."""
    max_file_bytes: int = 5 * 1024 * 1024
    max_files_per_commit: int = 500
    max_push_bytes: int = 256 * 1024 * 1024
    snapshot_seconds: float = 30
    """Quiet time after which a Grow Agent commits its messages to `state/snapshot.json`."""

    @model_validator(mode="after")
    def _complete(self) -> "GitSettings":
        if self.provider == "gitea":
            if not self.gitea_url.startswith(("http://", "https://")):
                raise ValueError("set GROWQR_GIT__GITEA_URL to Gitea's address, https://…")
            if not self.gitea_token.get_secret_value():
                raise ValueError("set GROWQR_GIT__GITEA_TOKEN to a token of the platform's account")
        return self


class SandboxSettings(BaseModel):
    """How OpenCode servers are locked in."""

    runtime: Literal["bubblewrap", "container"] = "bubblewrap"
    image: str = "localhost/growqr-workspace:1"
    """Of containers; `deploy/build-image` makes it."""
    engine: str = ""
    """Unix socket of the container engine; empty: Podman's, else Docker's usual one."""
    opencode: Path | None = None
    """OpenCode's executable; None: the one that npm installed."""
    first_uid: int = 200_000
    """With root: each running sandbox gets a host uid of its own, counted from here."""
    max_running: int = Field(4, ge=1)
    """OpenCode servers at once on this host; further tasks wait in line."""
    max_running_per_user: int = Field(2, ge=1)
    """OpenCode servers of one person at once on this host."""
    idle_seconds: float = 300
    """An idle server is stopped after this time; its sessions stay."""
    memory_bytes: int = 1536 * 1024 * 1024
    max_processes: int = 256
    cpus: float = 0
    """Processors' worth of time for one sandbox; 0: no limit."""
    disk_bytes: int = 2 * 1024 * 1024 * 1024
    """What one workspace may hold on the disk, its home included; 0: no limit."""
    recycle_bytes: int = 900 * 1024 * 1024
    """An idle server that holds more memory is stopped; its sessions stay. 0: never."""
    task_seconds: float = 1800
    """Wall time for one task."""
    max_steps: int = 100
    """Model calls in one coding turn before it is stopped."""
    commands_allow: tuple[str, ...] = ()
    """Patterns of the commands that the coding model may run, `*` for anything; empty: all."""
    commands_ask: tuple[str, ...] = ()
    """Patterns of commands for which it has to ask its user first."""
    commands_deny: tuple[str, ...] = ()
    """Patterns of commands that it may not run, whatever the others say."""
    question_seconds: float = Field(900, gt=0)
    """How long a coding task waits for its user's answer, which then counts as no."""


class IdentitySettings(BaseModel):
    """Who people are."""

    provider: Literal["local", "clerk"] = "local"
    access_minutes: int = 60
    refresh_days: int = 30
    registrations_per_hour: int = 200
    """New accounts from one network address."""
    login_failures: int = 10
    """Wrong passwords for one account from one network address in 15 minutes."""
    export_days: int = Field(7, ge=1)
    """How long a file with everything of a person can be fetched."""
    clerk_publishable_key: str = ""
    clerk_secret_key: SecretStr = SecretStr("")
    clerk_webhook_secret: SecretStr = SecretStr("")
    clerk_jwt_key: str = ""
    """Clerk's public key as PEM; empty: the key set that Clerk publishes."""
    clerk_authorized_parties: tuple[str, ...] = ()
    """Origins whose tokens are taken; empty: our own public address."""
    clerk_clock_skew_seconds: int = Field(5, ge=0, le=60)
    clerk_deleted: Literal["erase", "export"] = "erase"
    """What becomes of a person's repositories when their account is deleted at Clerk."""
    clerk_api_url: str = "https://api.clerk.com"
    """Another address is for tests."""

    @model_validator(mode="after")
    def _complete(self) -> "IdentitySettings":
        if self.provider == "clerk":
            for name in ("publishable_key", "secret_key", "webhook_secret"):
                value = getattr(self, f"clerk_{name}")
                if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                    raise ValueError(
                        f"set GROWQR_IDENTITY__CLERK_{name.upper()}: the provider `clerk` needs it"
                    )
        return self


class Plan(BaseModel):
    """What people can buy, and what it allows. A limit of None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    """Our name for it, in addresses and answers."""
    name: str
    price: str
    """Id of the price at Stripe, `price_…`."""
    description: str = ""
    display_price: str = ""
    """In words for people, such as `€19 a month`."""
    trial_days: int = Field(0, ge=0, le=730)
    messages_per_day: int | None = Field(None, ge=0)
    model_tokens_per_day: int | None = Field(None, ge=0)
    running_workspaces: int | None = Field(None, ge=1)
    """OpenCode servers at once, counted on each worker; without the coding agent there is none."""
    agents: tuple[str, ...] | None = None
    """Names of the agents that may be started and spoken to; None: all."""


class BillingSettings(BaseModel):
    """What people pay with."""

    provider: Literal["none", "stripe"] = "none"
    plans: tuple[Plan, ...] = ()
    """What is for sale, cheapest first."""
    grace_days: int = Field(7, ge=0)
    """How long agents go on after a payment failed."""
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_api_base: str = "https://api.stripe.com"
    """Another address is for tests."""

    @model_validator(mode="after")
    def _complete(self) -> "BillingSettings":
        if self.provider == "none":
            return self
        for name, value in (
            ("STRIPE_SECRET_KEY", self.stripe_secret_key.get_secret_value()),
            ("STRIPE_WEBHOOK_SECRET", self.stripe_webhook_secret.get_secret_value()),
            ("PLANS", self.plans),
        ):
            if not value:
                raise ValueError(f"set GROWQR_BILLING__{name}: the provider `stripe` needs it")
        for what in ("key", "price"):
            if len({getattr(plan, what) for plan in self.plans}) < len(self.plans):
                raise ValueError(f"GROWQR_BILLING__PLANS: two plans have the same `{what}`")
        return self


class ModelSettings(BaseModel):
    """The language model."""

    provider: Literal["offline", "anthropic", "openai", "google", "openai-compatible"] = "offline"
    name: str = ""
    """The provider's name for the model; empty with `offline` only."""
    api_key: SecretStr = SecretStr("")
    base_url: str = ""
    """Needed for `openai-compatible`, e.g. `http://127.0.0.1:11434/v1`; optional otherwise."""
    request_seconds: float = 120
    max_turn_steps: int = 24
    """Model calls in one turn before the turn gives up."""
    requests_per_minute: int = 240
    """Model calls of one person's sandboxes."""
    tokens_per_task: int = 0
    """Input and output tokens of one coding task; 0: no limit."""
    tokens_per_day: int = 0
    """Model tokens of one person in one day (UTC), after which their sandboxes get no more
    answers; 0: no limit but the plan's."""

    @model_validator(mode="after")
    def _complete(self) -> "ModelSettings":
        if self.provider != "offline" and not self.name:
            raise ValueError(
                f"set GROWQR_MODEL__NAME: the provider `{self.provider}` needs a model name"
            )
        if self.provider == "openai-compatible" and not self.base_url:
            raise ValueError("set GROWQR_MODEL__BASE_URL to the server's address, ending in /v1")
        hosted = self.provider in ("anthropic", "openai", "google")
        if hosted and not self.api_key.get_secret_value():
            raise ValueError(f"set GROWQR_MODEL__API_KEY to your {self.provider} key")
        return self


class ServiceOperation(BaseModel):
    """One thing that a backing service does; nothing else of it can be called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: str = Field(pattern=r"^(/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+$")
    """Below the service's address; `{name}` stands for one argument, without slashes."""
    description: str = ""
    """What it does and which arguments it takes; the model reads it."""

    @property
    def path_arguments(self) -> list[str]:
        """The names in `path`."""
        return re.findall(r"\{(\w+)\}", self.path)


class BackingService(BaseModel):
    """A program of the operator's that agents may call, and the bounds of a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    url: str = Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")
    """Where it is; no other host is ever asked, whatever it answers."""
    description: str = ""
    audience: str = Field("", max_length=200)
    """Whom our tokens for it name; empty: its name."""
    operations: tuple[ServiceOperation, ...] = Field(min_length=1)
    timeout_seconds: float = Field(10, gt=0, le=300)
    """For one try, from connecting to the last byte."""
    max_request_bytes: int = Field(64 * 1024, ge=0)
    max_response_bytes: int = Field(256 * 1024, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> "BackingService":
        if len({operation.name for operation in self.operations}) < len(self.operations):
            raise ValueError(f"GROWQR_SERVICES: two operations of `{self.name}` have one name")
        if self.audience.split(":")[0] == "growqr":
            raise ValueError("GROWQR_SERVICES: the audience `growqr` is for our own tokens")
        return self


class Limits(BaseModel):
    """Sizes and counts that bound what one request or one user can ask for."""

    message_chars: int = 32_000
    body_bytes: int = 1024 * 1024
    page: int = 200
    log_bytes: int = 1024 * 1024
    """Stored log text per task."""
    projects: int = 50
    sse_per_user: int = 50


_DATABASE = re.compile(r"(sqlite(\+aiosqlite)?|postgres(ql)?|postgresql\+asyncpg)://")
"""What we ship a driver for."""


class Settings(BaseSettings):
    """All settings; build it once, at the start, and hand it down."""

    model_config = SettingsConfigDict(
        env_prefix="GROWQR_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""
    """Address under which people reach this server; empty: `http://HOST:PORT`."""
    database_url: str = ""
    """SQLAlchemy URL of SQLite or PostgreSQL; empty: SQLite in the data folder."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    rivet: RivetSettings = Field(default_factory=RivetSettings)
    git: GitSettings = Field(default_factory=GitSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    billing: BillingSettings = Field(default_factory=BillingSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    limits: Limits = Field(default_factory=Limits)
    services: tuple[BackingService, ...] = ()
    """Programs that the service agent may call; with none, nobody has that agent."""

    @model_validator(mode="after")
    def _distinct(self) -> "Settings":
        if len({service.name for service in self.services}) < len(self.services):
            raise ValueError("GROWQR_SERVICES: two services have the same `name`")
        if self.database_url and not _DATABASE.match(self.database_url):
            raise ValueError("GROWQR_DATABASE_URL: use postgresql://user:password@host/name")
        return self

    @property
    def base_url(self) -> str:
        """The public address, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def db_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return (
            self.database_url or f"sqlite+aiosqlite:///{self.data_dir.resolve()}/db/growqr.sqlite"
        )


def variables() -> Iterator[str]:
    """Give the name of every environment variable that sets something."""
    for field, info in Settings.model_fields.items():
        inner = getattr(info.annotation, "model_fields", None)
        names = [f"{field}__{name}" for name in inner] if inner else [field]
        yield from (f"GROWQR_{name}".upper() for name in names)
