"""What the user's plan is, how to change it, what has been used, and Stripe's webhooks."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Header, Query, Request, Response
from pydantic import BaseModel, Field

from growqr.api.deps import CurrentUser, ServicesDep
from growqr.api.services import Billing, Services
from growqr.billing.usage import today
from growqr.db.billing import find_subscription
from growqr.errors import Conflict

router = APIRouter(prefix="/billing", tags=["billing"])


class SelfHosted(Conflict):
    """There is no billing in this installation."""

    code = "billing.self_hosted"


class PlanOut(BaseModel):
    """A plan for sale. A limit of null is no limit."""

    key: str
    name: str
    description: str
    display_price: str
    trial_days: int
    messages_per_day: int | None
    model_tokens_per_day: int | None
    running_workspaces: int | None
    agents: list[str] | None


class SubscriptionOut(BaseModel):
    """The user's plan."""

    plan: str
    status: str = Field(description="As a subscription's at Stripe; `none` without one.")
    provider: str
    entitled: bool
    reason: str
    current_period_end: datetime | None = None
    cancel_at_period_end: bool = False
    trial_end: datetime | None = None
    grace_until: datetime | None = Field(
        None, description="A payment failed: the agents are suspended at this time."
    )


class PlanChoice(BaseModel):
    """Which plan; see `GET /billing/plans`."""

    plan: Annotated[str, Field(min_length=1, max_length=40)]


class RedirectOut(BaseModel):
    """Send the browser to this address."""

    url: str


class DayUsageOut(BaseModel):
    """What was used on one day (UTC)."""

    day: date
    messages: int
    model_tokens: int
    workspace_seconds: int


class UsageOut(BaseModel):
    """Use by day, the oldest first, and today's limits; null is no limit."""

    days: list[DayUsageOut]
    messages_per_day: int | None
    model_tokens_per_day: int | None
    running_workspaces: int | None = Field(description="How many may run at once.")


@router.get("/plans")
async def list_plans(user: CurrentUser, services: ServicesDep) -> list[PlanOut]:
    """What is for sale; nothing in a self-hosted installation."""
    return [PlanOut.model_validate(plan.model_dump()) for plan in services.settings.billing.plans]


@router.get("/subscription")
async def get_subscription(
    user: CurrentUser,
    services: ServicesDep,
    after_answer: BackgroundTasks,
    refresh: Annotated[
        bool, Query(description="Ask Stripe first, as after coming back from paying.")
    ] = False,
) -> SubscriptionOut:
    """The user's plan and whether agents may run under it."""
    if refresh and services.billing is not None:
        await services.billing.subscriptions.refresh(user.user_id)
        after_answer.add_task(services.billing.suspensions.try_align, user.user_id)
    return await _shown(services, user.user_id)


@router.post("/checkout")
async def create_checkout(
    user: CurrentUser, services: ServicesDep, choice: PlanChoice | None = None
) -> RedirectOut:
    """Buy a plan, by default the first: gives the address of the payment page.

    409 where there is nothing to buy.
    """
    subscriptions = _billing(services).subscriptions
    plan = choice.plan if choice else subscriptions.plans[0].key
    return RedirectOut(url=await subscriptions.checkout(user.user_id, plan))


@router.post("/portal")
async def create_portal(user: CurrentUser, services: ServicesDep) -> RedirectOut:
    """Cards, invoices, cancellation: gives the address of the portal."""
    return RedirectOut(url=await _billing(services).subscriptions.portal(user.user_id))


@router.post("/plan")
async def change_plan(
    user: CurrentUser, services: ServicesDep, choice: PlanChoice
) -> SubscriptionOut:
    """Move to another plan now; the difference is on the next invoice."""
    await _billing(services).subscriptions.change_plan(user.user_id, choice.plan)
    return await _shown(services, user.user_id)


@router.get("/usage")
async def get_usage(
    user: CurrentUser,
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=92, description="How many, up to today.")] = 30,
) -> UsageOut:
    """What the user's agents used, by day."""
    last = today()
    used = await services.entitlements.usage.days(user.user_id, last - timedelta(days - 1), last)
    limits = (await services.entitlements.check(user.user_id)).limits
    return UsageOut(
        days=[DayUsageOut(**vars(day)) for day in used],
        messages_per_day=limits.messages_per_day if limits else None,
        model_tokens_per_day=limits.model_tokens_per_day if limits else None,
        running_workspaces=limits.running_workspaces if limits else None,
    )


@router.post("/webhooks/stripe", status_code=204, include_in_schema=False)
async def receive_stripe(
    request: Request,
    services: ServicesDep,
    after_answer: BackgroundTasks,
    stripe_signature: Annotated[str | None, Header(max_length=2000)] = None,
) -> Response:
    """Stripe says that something happened. The answer is 204 once it can't get lost."""
    billing = _billing(services)
    user_id = await billing.subscriptions.receive(await request.body(), stripe_signature)
    if user_id is not None:
        after_answer.add_task(billing.suspensions.try_align, user_id)
    return Response(status_code=204, background=after_answer)


def _billing(services: Services) -> Billing:
    if services.billing is None:
        raise SelfHosted("This installation is self-hosted: there is nothing to pay for.")
    return services.billing


async def _shown(services: Services, user_id: str) -> SubscriptionOut:
    entitlement = await services.entitlements.check(user_id)
    row = None
    if services.billing is not None:
        async with services.db.session() as session:
            row = await find_subscription(session, user_id=user_id)
    return SubscriptionOut(
        plan=entitlement.plan,
        status=entitlement.status,
        provider=services.entitlements.provider,
        entitled=entitlement.entitled,
        reason=entitlement.reason,
        current_period_end=row.current_period_end if row else None,
        cancel_at_period_end=row.cancel_at_period_end if row else False,
        trial_end=row.trial_end if row else None,
        grace_until=entitlement.grace_until,
    )
