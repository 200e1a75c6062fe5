"""What a user's plan allows now."""

from dataclasses import dataclass

from growqr.errors import EntitlementRequired
from growqr.settings import BillingSettings


@dataclass(frozen=True)
class Entitlement:
    """Whether the user's agents may run, and under which plan."""

    entitled: bool
    plan: str
    status: str
    """As a subscription's: `active`, `past_due`, `canceled`, …"""
    reason: str
    """In words for the user."""


_SELF_HOSTED = Entitlement(True, "self-hosted", "active", "Self-hosted, no billing")


class Entitlements:
    """Answers what a user may do; without a billing provider everyone may run agents."""

    def __init__(self, settings: BillingSettings) -> None:
        self.provider = settings.provider

    async def check(self, user_id: str) -> Entitlement:
        return _SELF_HOSTED

    async def require(self, user_id: str) -> Entitlement:
        """Return the entitlement; raises EntitlementRequired when agents may not run."""
        entitlement = await self.check(user_id)
        if not entitlement.entitled:
            raise EntitlementRequired(entitlement.reason, plan=entitlement.plan)
        return entitlement
