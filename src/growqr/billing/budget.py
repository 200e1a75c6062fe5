"""What a person's sandboxes may still use of the model today."""

import structlog

from growqr.billing.entitlement import Entitlements
from growqr.billing.usage import today
from growqr.errors import GrowError

log = structlog.get_logger(__name__)


class TokenBudget:
    """Counts in the database, so every worker, the plan's limits and the display see the same."""

    def __init__(self, entitlements: Entitlements, tokens_per_day: int = 0) -> None:
        """`tokens_per_day` is the operator's own limit for everyone; 0: none but the plan's."""
        self._entitlements = entitlements
        self._tokens_per_day = tokens_per_day

    async def spent(self, user_id: str) -> str | None:
        """Return why nothing is left to use, in words for the user; None: there is."""
        entitlement = await self._entitlements.check(user_id)
        if not entitlement.entitled:
            return entitlement.reason
        plan = entitlement.limits
        limits = [self._tokens_per_day or None, plan.model_tokens_per_day if plan else None]
        most = min((limit for limit in limits if limit is not None), default=None)
        if most is None:
            return None
        used = await self._entitlements.usage.on(user_id, today())
        if used.model_tokens < most:
            return None
        return f"Today's budget of {most} tokens is used up. It begins again at 00:00 UTC."

    async def add(self, user_id: str, tokens: int) -> None:
        """Count what was used; a database that does not answer loses it."""
        try:
            await self._entitlements.usage.add(user_id, model_tokens=tokens)
        except GrowError as error:
            log.warning("usage.not_counted", user_id=user_id, tokens=tokens, error=str(error))
