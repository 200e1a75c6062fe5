"""The tables: accounts, the registry of actors, repositories, tokens.

What an actor remembers is not here: it lives in the actor and in Git. Ids are opaque text
(`growqr.ids`), times are UTC.
"""

from datetime import UTC, date, datetime
from typing import ClassVar

from sqlalchemy import (
    DateTime,
    ForeignKey,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times on every database; SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    # Constraints need names so that a later migration can drop them on every database.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime(), str: String(255)}


class User(Base):
    """An account. `password_hash` is argon2id, or None when an outside identity serves."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    """Lower case."""
    name: Mapped[str]
    password_hash: Mapped[str | None]
    clerk_id: Mapped[str | None] = mapped_column(unique=True, index=True)
    """The user's id at Clerk, `user_…`; None for local accounts."""
    leaving: Mapped[str | None]
    """Name of the file that was exported before erasing began."""
    created_at: Mapped[datetime] = mapped_column(default=_now)


class RefreshToken(Base):
    """A refresh token, by SHA-256 of its text. `family_id` joins the tokens of one login."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    family_id: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Attempts(Base):
    """How often something was tried, by a SHA-256 of what; see `growqr.identity.attempts`."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    until: Mapped[datetime] = mapped_column(index=True)
    """When the count begins anew."""


class Repo(Base):
    """A repository; the Git data itself is in the forge."""

    __tablename__ = "repos"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    """`primary` (the life repository, named `grow`) or `project`."""
    description: Mapped[str] = mapped_column(Text, default="")
    default_branch: Mapped[str] = mapped_column(default="main")
    created_at: Mapped[datetime] = mapped_column(default=_now)


class GitToken(Base):
    """A token for clone and push over HTTP, by SHA-256 of its text."""

    __tablename__ = "git_tokens"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    repo_id: Mapped[str] = mapped_column(ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str]
    """`read` or `write`."""
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Push(Base):
    """What somebody pushed through the gateway; see `growqr.git.pushes`."""

    __tablename__ = "pushes"

    id: Mapped[str] = mapped_column(primary_key=True)
    repo_id: Mapped[str] = mapped_column(ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str]
    heads: Mapped[str] = mapped_column(Text)
    """The commits that branches were to point at, with spaces between them."""
    known: Mapped[str] = mapped_column(Text)
    """The commits that branches pointed at before."""
    at: Mapped[datetime] = mapped_column(default=_now)


class DeployKey(Base):
    """A public SSH key that may read (or write) one repository."""

    __tablename__ = "deploy_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    repo_id: Mapped[str] = mapped_column(ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    public_key: Mapped[str] = mapped_column(Text)
    read_only: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=_now)


class PullRequest(Base):
    """A pull request on the embedded forge, numbered per repository."""

    __tablename__ = "pull_requests"
    __table_args__ = (UniqueConstraint("repo_id", "number"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    repo_id: Mapped[str] = mapped_column(ForeignKey("repos.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    title: Mapped[str]
    body: Mapped[str] = mapped_column(Text, default="")
    branch: Mapped[str]
    base: Mapped[str]
    status: Mapped[str] = mapped_column(default="open")
    """`open`, `merged` or `closed`."""
    merge_commit: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class ActorRow(Base):
    """The registry: one row an actor. `name` is `grow`, `coding`, `repo`, `quest` or `service`."""

    __tablename__ = "actors"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    type: Mapped[str]
    """`grow` or `agent`."""
    name: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("actors.id", ondelete="CASCADE"))
    channel_id: Mapped[str] = mapped_column(unique=True)
    repo_id: Mapped[str | None] = mapped_column(ForeignKey("repos.id", ondelete="SET NULL"))
    workspace_id: Mapped[str | None] = mapped_column(unique=True)
    workspace_path: Mapped[str | None] = mapped_column(Text)
    """Relative to the data folder: `workspaces/<user>/<actor>`."""
    capabilities: Mapped[str] = mapped_column(Text, default="")
    """One capability a line."""
    status: Mapped[str] = mapped_column(default="running")
    """`running` (it may work; asleep or awake is the engine's business), `stopped` (by its user)
    or `suspended` (by billing: it runs again by itself once the plan allows it)."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    last_activity_at: Mapped[datetime] = mapped_column(default=_now)


class IdempotencyKey(Base):
    """The stored answer to a write that a client may retry."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    """SHA-256 of method, path and body: the same key with another request is refused."""
    status: Mapped[int | None]
    """None while the first request is still running."""
    body: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=_now, index=True)


class Subscription(Base):
    """What Stripe last said about a user's subscription; `status` is Stripe's, or `none`.

    `sync_started` and `sync_done` number the readings: a reading that began earlier never
    overwrites one that began later (`growqr.billing.subscriptions`).
    """

    __tablename__ = "subscriptions"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    customer_id: Mapped[str] = mapped_column(unique=True)
    subscription_id: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="none")
    price_id: Mapped[str | None]
    current_period_end: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    trial_end: Mapped[datetime | None]
    unpaid_since: Mapped[datetime | None]
    """When the oldest unpaid invoice was made; None while nothing is owed."""
    sync_started: Mapped[int] = mapped_column(default=0)
    sync_done: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(default=_now)


class WebhookEvent(Base):
    """What a webhook told that must not count again, or be undone by what came before it."""

    __tablename__ = "webhook_events"

    id: Mapped[str] = mapped_column(primary_key=True)
    """`stripe:evt_…`, or `clerk-gone:user_…` of an account that was deleted there."""
    handled_at: Mapped[datetime] = mapped_column(default=_now, index=True)


class Usage(Base):
    """What a user used on one day (UTC)."""

    __tablename__ = "usage"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int] = mapped_column(default=0)
    model_tokens: Mapped[int] = mapped_column(default=0)
    workspace_seconds: Mapped[int] = mapped_column(default=0)
