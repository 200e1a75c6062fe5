"""The form of a backup: a tar file with rows as JSON and each repository as a Git bundle."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from growqr.agents.spec import AgentName

MANIFEST = "growqr-backup.json"
MAX_MANIFEST_BYTES = 256 * 1024 * 1024


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="ignore")


class AccountRow(_Row):
    """A row of `users`."""

    id: str
    email: str
    name: str
    password_hash: str | None
    created_at: datetime


class RepoRow(_Row):
    """A row of `repos`."""

    id: str
    owner_id: str
    name: str
    kind: str
    description: str
    default_branch: str
    created_at: datetime


class AgentRow(_Row):
    """A row of `actors`; what it may do is the importing platform's to say."""

    id: str
    user_id: str
    name: AgentName
    parent_id: str | None
    channel_id: str
    repo_id: str | None
    workspace_id: str | None
    status: str
    created_at: datetime


class SignerRow(_Row):
    """A public key, and whose commits it signs."""

    author_id: str
    public_key: str


class PushRow(_Row):
    """A row of `pushes`."""

    id: str
    repo_id: str
    user_id: str
    heads: str
    known: str
    at: datetime


class Manifest(BaseModel):
    """Everything in a backup but the Git data."""

    format: Literal[1] = 1
    version: str
    """Of the GrowQR that wrote it."""
    accounts: list[AccountRow]
    repos: list[RepoRow]
    agents: list[AgentRow]
    signers: list[SignerRow]
    pushes: list[PushRow] = []


def bundle_name(repo_id: str) -> str:
    """Where a repository's bundle is in the file."""
    return f"git/{repo_id}.bundle"
