"""What the user's plan is, and how to change it."""

from fastapi import APIRouter
from pydantic import BaseModel

from growqr.api.deps import CurrentUser, ServicesDep
from growqr.errors import Conflict

router = APIRouter(prefix="/billing", tags=["billing"])


class SelfHosted(Conflict):
    """There is no billing in this installation."""

    code = "billing.self_hosted"


class SubscriptionOut(BaseModel):
    """The user's plan."""

    plan: str
    status: str
    provider: str
    entitled: bool
    reason: str


@router.get("/subscription")
async def get_subscription(user: CurrentUser, services: ServicesDep) -> SubscriptionOut:
    """The user's plan and whether agents may run under it."""
    entitlement = await services.entitlements.check(user.user_id)
    return SubscriptionOut(
        plan=entitlement.plan,
        status=entitlement.status,
        provider=services.entitlements.provider,
        entitled=entitlement.entitled,
        reason=entitlement.reason,
    )


@router.post("/checkout")
async def create_checkout(user: CurrentUser) -> None:
    """Buy a plan; 409 where there is nothing to buy."""
    raise SelfHosted("This installation is self-hosted: there is nothing to pay for.")


@router.post("/portal")
async def create_portal(user: CurrentUser) -> None:
    """Manage a plan; 409 where there is nothing to manage."""
    raise SelfHosted("This installation is self-hosted: there is no billing to manage.")
