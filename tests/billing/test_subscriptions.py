import json
import random
import time
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from growqr.billing.stripe_api import (
    StripeRefused,
    StripeUnavailable,
    SubscriptionState,
    WebhookRefused,
)
from growqr.billing.subscriptions import AlreadySubscribed, NotSubscribed, UnknownPlan
from growqr.db.billing import begin_sync, find_subscription, finish_sync
from growqr.db.tables import Subscription, WebhookEvent
from tests.billing.conftest import ON_BOTH, World
from tests.support.stripe_server import Signed, sign

pytestmark = pytest.mark.anyio


async def stored(world: World) -> Subscription:
    async with world.db.session() as session:
        row = await find_subscription(session, user_id=world.user_id)
    assert row is not None
    return row


@ON_BOTH
async def test_checkout_paying_and_the_webhooks_make_a_plan(world: World) -> None:
    url = await world.subscriptions.checkout("usr_ada", "pro")
    assert url.startswith(f"{world.stripe.url}/pay/cs_")
    (checkout,) = world.stripe.checkouts.values()
    assert (checkout["price"], checkout["trial_days"]) == ("price_pro", 14)
    assert checkout["success_url"].endswith("/app/settings?checkout=done")
    world.stripe.subscribe(checkout["customer"], "price_pro", trial_days=14)
    await world.hear()
    entitlement = await world.entitlements.check("usr_ada")
    assert (entitlement.entitled, entitlement.plan, entitlement.status) == (True, "pro", "trialing")
    assert "on trial until" in entitlement.reason


async def test_a_second_checkout_uses_the_same_customer_and_refuses_a_second_plan(
    world: World,
) -> None:
    customer = await world.customer()
    await world.customer()
    assert list(world.stripe.customers) == [customer]
    world.stripe.subscribe(customer, "price_plus")
    with pytest.raises(AlreadySubscribed):
        await world.subscriptions.checkout("usr_ada", "pro")
    with pytest.raises(UnknownPlan):
        await world.subscriptions.checkout("usr_ada", "gold")


async def test_upgrade_downgrade_and_cancelling_at_the_end(world: World) -> None:
    with pytest.raises(NotSubscribed):
        await world.subscriptions.portal("usr_ada")
    with pytest.raises(NotSubscribed):
        await world.subscriptions.change_plan("usr_ada", "pro")
    customer = await world.customer()
    with pytest.raises(NotSubscribed):
        await world.subscriptions.change_plan("usr_ada", "pro")
    world.stripe.subscribe(customer, "price_plus")
    await world.subscriptions.change_plan("usr_ada", "pro")
    assert (await world.entitlements.check("usr_ada")).plan == "pro"
    await world.subscriptions.change_plan("usr_ada", "plus")
    assert (await world.entitlements.check("usr_ada")).plan == "plus"
    assert "/portal/" in await world.subscriptions.portal("usr_ada")
    world.stripe.cancel(customer)
    await world.hear()
    ending = await world.entitlements.check("usr_ada")
    assert ending.entitled
    assert "ends on" in ending.reason
    world.stripe.delete(customer)
    await world.hear()
    ended = await world.entitlements.check("usr_ada")
    assert (ended.entitled, ended.status) == (False, "canceled")
    world.stripe.subscribe(customer, "price_pro")
    await world.hear()
    assert (await world.entitlements.check("usr_ada")).plan == "pro"


async def test_a_departure_that_was_interrupted_can_be_repeated(world: World) -> None:
    await world.customer()
    await world.subscriptions.forget_user("usr_ada")
    assert world.stripe.customers == {}
    await world.subscriptions.forget_user("usr_ada")


async def test_a_webhook_that_is_forged_old_or_garbled_is_refused(world: World) -> None:
    customer = await world.customer()
    world.stripe.subscribe(customer, "price_pro")
    genuine = world.stripe.outbox[0]
    event = json.loads(genuine.body)
    bad = [
        Signed(genuine.body, ""),
        Signed(genuine.body, "t=1,v1=00"),
        Signed(genuine.body.replace(b"active", b"activE"), genuine.signature),
        sign(event, secret="whsec_of_somebody_else"),
        sign(event, at=int(time.time()) - 301),
        sign({"id": "evt_1"}),
        Signed(b"\xff", genuine.signature),
    ]
    for webhook in bad:
        with pytest.raises(WebhookRefused):
            await world.subscriptions.receive(webhook.body, webhook.signature)
    assert (await stored(world)).status == "none"


async def test_a_repeated_webhook_asks_stripe_once(world: World) -> None:
    world.stripe.subscribe(await world.customer(), "price_pro")
    webhook = world.stripe.outbox[0]
    assert await world.subscriptions.receive(webhook.body, webhook.signature) == "usr_ada"
    world.stripe.requests.clear()
    assert await world.subscriptions.receive(webhook.body, webhook.signature) is None
    assert world.stripe.requests == []


async def test_a_webhook_while_stripe_is_down_is_not_taken_as_handled(world: World) -> None:
    world.stripe.subscribe(await world.customer(), "price_pro")
    webhook = world.stripe.outbox[0]
    world.stripe.down = True
    with pytest.raises(StripeUnavailable):
        await world.subscriptions.receive(webhook.body, webhook.signature)
    world.stripe.down = False
    assert await world.subscriptions.receive(webhook.body, webhook.signature) == "usr_ada"
    assert (await stored(world)).status == "active"


async def test_a_webhook_about_a_stranger_changes_nothing(world: World) -> None:
    await world.customer()
    world.stripe.subscribe("cus_of_another_shop", "price_pro")
    for webhook in world.stripe.outbox:
        assert await world.subscriptions.receive(webhook.body, webhook.signature) is None
    assert (await stored(world)).status == "none"


async def test_a_key_that_stripe_refuses_says_so(world: World) -> None:
    world.stripe.customers.clear()
    async with world.db.session() as session:
        session.add(Subscription(user_id="usr_ada", customer_id="cus_gone"))
    with pytest.raises(StripeRefused):
        await world.subscriptions.checkout("usr_ada", "pro")


@ON_BOTH
async def test_a_reading_that_began_earlier_never_overwrites_a_later_one(world: World) -> None:
    customer = await world.customer()
    async with world.db.session() as session:
        early = await begin_sync(session, customer)
        late = await begin_sync(session, customer)
        assert early is not None
        assert late is not None
        active = asdict(SubscriptionState("sub_1", status="active"))
        past_due = asdict(SubscriptionState("sub_1", status="past_due"))
        active.pop("item_id")
        past_due.pop("item_id")
        assert await finish_sync(session, customer, late[1], active)
        assert not await finish_sync(session, customer, early[1], past_due)
    assert (await stored(world)).status == "active"


MOVES = st.lists(
    st.sampled_from(["fail_payment", "pay", "cancel", "change_price", "delete"]), max_size=6
)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moves=MOVES, seed=st.integers(0, 2**32))
async def test_any_order_and_repetition_of_webhooks_ends_in_the_same_state(
    world: World, moves: list[str], seed: int
) -> None:
    """What is heard in order, once each, and what is heard in any order and number, agree."""
    customer = await world.customer_once()
    world.stripe.outbox.clear()
    world.stripe.subscriptions.clear()
    world.stripe.subscribe(customer, "price_plus")
    for move in moves:
        if move == "change_price":
            world.stripe.change_price(customer, "price_pro")
        else:
            getattr(world.stripe, move)(customer)
    events = list(world.stripe.outbox)
    await world.hear()
    expected = await stored(world)
    chance = random.Random(seed)
    order = events + chance.choices(events, k=chance.randint(0, 4))
    chance.shuffle(order)
    async with world.db.session() as session:  # as if none had been heard
        for event in events:
            handled = await session.get(WebhookEvent, f"stripe:{json.loads(event.body)['id']}")
            assert handled is not None
            await session.delete(handled)
        row = await session.get(Subscription, "usr_ada")
        assert row is not None
        row.status, row.price_id, row.unpaid_since = "none", None, None
    for webhook in order:
        await world.subscriptions.receive(webhook.body, webhook.signature)
    row = await stored(world)
    for name in (
        "subscription_id",
        "status",
        "price_id",
        "current_period_end",
        "cancel_at_period_end",
        "trial_end",
        "unpaid_since",
    ):
        assert getattr(row, name) == getattr(expected, name), name
