"""The long-lived objects behind the routes; `growqr.app` builds and closes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from growqr.agents.memory import Memory
from growqr.api.agents_gateway import AgentGateway
from growqr.api.events import EventHub
from growqr.api.exports import Exports
from growqr.billing.entitlement import Entitlements
from growqr.db.engine import Database
from growqr.git.commits import CommitService
from growqr.git.forge import Forge
from growqr.git.repos import RepoService
from growqr.git.tokens import GitTokens
from growqr.identity.accounts import Accounts
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenService
from growqr.settings import Settings

if TYPE_CHECKING:  # these load the libraries of Clerk and Stripe, which most servers don't use
    from growqr.api.suspension import Suspensions
    from growqr.billing.subscriptions import Subscriptions
    from growqr.identity.clerk import ClerkIdentity


@dataclass(frozen=True)
class Billing:
    """What exists only with a payment provider."""

    subscriptions: Subscriptions
    suspensions: Suspensions


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a route may use."""

    settings: Settings
    db: Database
    tokens: TokenService
    accounts: Accounts
    entitlements: Entitlements
    forge: Forge
    commits: CommitService
    memory: Memory
    repos: RepoService
    git_tokens: GitTokens
    exports: Exports
    agents: AgentGateway
    events: EventHub
    engine_endpoint: str
    """Address of the actor engine, asked by `/readyz`."""
    billing: Billing | None = None
    """None: self-hosted, no billing."""
    clerk: ClerkIdentity | None = None
    """None: local accounts."""

    async def principal_of(self, token: str) -> Principal:
        """Return who a bearer token speaks for; raises TokenInvalid."""
        if self.clerk is not None:
            return await self.clerk.verify(token)
        return self.tokens.verify(token)
