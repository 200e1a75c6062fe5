import pytest

from growqr.api.provisioning import CAPABILITIES
from growqr.billing.entitlement import Entitlement, Entitlements, PlanLimitReached
from growqr.db.engine import Database
from growqr.errors import EntitlementRequired
from growqr.settings import BillingSettings
from tests.billing.conftest import World

pytestmark = pytest.mark.anyio


async def test_without_a_billing_provider_everyone_is_entitled() -> None:
    db = Database("sqlite:///never-opened.sqlite")
    entitlement = await Entitlements(BillingSettings(), db).require("usr_ada", "coding")
    assert entitlement.entitled
    assert entitlement.plan == "self-hosted"


def test_everyone_has_one_workspace_so_each_worker_may_count_for_itself() -> None:
    """A second agent that runs OpenCode needs a count of `running_workspaces` across workers."""
    assert [agent for agent, may in CAPABILITIES.items() if "opencode.run" in may] == ["coding"]


async def test_who_never_paid_is_refused(world: World) -> None:
    with pytest.raises(EntitlementRequired, match="Choose a plan"):
        await world.entitlements.require("usr_ada")


async def test_a_failed_payment_gives_grace_and_then_ends(world: World) -> None:
    customer = await world.customer()
    world.stripe.subscribe(customer, "price_pro")
    world.stripe.fail_payment(customer)
    await world.hear()
    entitlement = await world.entitlements.check("usr_ada")
    assert (entitlement.entitled, entitlement.status) == (True, "past_due")
    assert "go on until" in entitlement.reason
    world.clock.move(days=3, minutes=1)
    with pytest.raises(EntitlementRequired, match="has passed"):
        await world.entitlements.require("usr_ada")
    world.stripe.pay(customer)
    await world.hear()
    assert (await world.entitlements.require("usr_ada")).status == "active"


async def test_a_plan_without_an_agent_refuses_that_agent_only(world: World) -> None:
    world.stripe.subscribe(await world.customer(), "price_plus")
    await world.hear()
    await world.entitlements.require("usr_ada", "grow")
    with pytest.raises(PlanLimitReached, match="does not include the coding agent"):
        await world.entitlements.require("usr_ada", "coding")


async def test_used_up_model_tokens_end_the_day(world: World) -> None:
    world.stripe.subscribe(await world.customer(), "price_plus")
    await world.hear()
    await world.entitlements.usage.add("usr_ada", model_tokens=999)
    await world.entitlements.require("usr_ada", "grow")
    await world.entitlements.usage.add("usr_ada", model_tokens=1)
    with pytest.raises(PlanLimitReached, match="1000 model tokens a day"):
        await world.entitlements.require("usr_ada", "grow")


async def test_an_answer_asks_no_network_and_is_kept(world: World) -> None:
    world.stripe.subscribe(await world.customer(), "price_pro")
    await world.hear()
    world.stripe.requests.clear()
    first: Entitlement = await world.entitlements.check("usr_ada")
    await world.db.aclose()
    assert await world.entitlements.check("usr_ada") == first
    assert world.stripe.requests == []
