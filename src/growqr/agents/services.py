"""What agents use of the process they run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrivet import Client

    from growqr.agents.backing import BackingServices
    from growqr.agents.memory import Memory
    from growqr.billing.entitlement import Entitlements
    from growqr.db.engine import Database
    from growqr.git.commits import CommitService
    from growqr.git.forge import Forge
    from growqr.git.repos import RepoService
    from growqr.identity.tokens import TokenService
    from growqr.models.provider import LanguageModel
    from growqr.opencode.workspaces import Workspaces
    from growqr.settings import Settings


@dataclass(frozen=True, kw_only=True, eq=False)
class AgentServices:
    """The long-lived objects of a worker process, shared by all its actors.

    The composition root opens and closes them. `client` sends a token of `tokens` with each
    connection; an agent refuses callers that have none.
    """

    settings: Settings
    db: Database
    forge: Forge
    commits: CommitService
    memory: Memory
    repos: RepoService
    workspaces: Workspaces
    model: LanguageModel
    client: Client
    tokens: TokenService
    backing: BackingServices
    entitlements: Entitlements
