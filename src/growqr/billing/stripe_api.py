"""The only place that knows Stripe: plain results out, its errors translated."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe

from growqr.errors import GrowError, InvalidInput, Unavailable
from growqr.settings import BillingSettings, Plan

_TIMEOUT_SECONDS = 10
_RANK = ("trialing", "active", "past_due", "unpaid", "paused", "incomplete", "canceled")
"""Of several subscriptions of one customer, which one counts."""
_WEBHOOK_AGE_SECONDS = 300


class StripeUnavailable(Unavailable):
    """Stripe does not answer now."""

    code = "billing.unavailable"


class StripeRefused(GrowError):
    """Stripe rejects what we ask: a price or a key is wrong, or an object is gone."""

    code = "billing.refused"
    status = 502
    title = "The payment provider refused"


class WebhookRefused(InvalidInput):
    """The webhook's signature is missing, wrong, or older than five minutes."""

    code = "webhook.signature_invalid"


@dataclass(frozen=True)
class SubscriptionState:
    """A customer's subscription as Stripe tells it now; `status` is Stripe's, or `none`."""

    subscription_id: str | None = None
    item_id: str | None = None
    status: str = "none"
    price_id: str | None = None
    current_period_end: datetime | None = None
    cancel_at_period_end: bool = False
    trial_end: datetime | None = None
    unpaid_since: datetime | None = None


@dataclass(frozen=True)
class Webhook:
    """A genuine event; `customer_id` is None when it is about no customer."""

    id: str
    type: str
    customer_id: str | None


class StripeApi:
    """Calls Stripe; raises StripeUnavailable and StripeRefused."""

    def __init__(self, settings: BillingSettings) -> None:
        self._secret = settings.stripe_webhook_secret.get_secret_value()
        self._http = stripe.HTTPXClient(timeout=_TIMEOUT_SECONDS)
        self._client = stripe.StripeClient(
            settings.stripe_secret_key.get_secret_value(),
            base_addresses={"api": settings.stripe_api_base.rstrip("/")},
            http_client=self._http,
            max_network_retries=1,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def create_customer(self, user_id: str, email: str, name: str) -> str:
        """Return the id of the user's customer; a repeat within a day gives the same one."""
        made = await self._ask(
            self._client.v1.customers.create_async(
                {"email": email, "name": name, "metadata": {"user_id": user_id}},
                {"idempotency_key": f"growqr-customer-{user_id}"},
            )
        )
        return str(made["id"])

    async def delete_customer(self, customer_id: str) -> None:
        """End the customer's subscriptions at once and forget them; safe to repeat."""
        try:
            await self._ask(self._client.v1.customers.delete_async(customer_id))
        except StripeRefused as error:
            refused = error.__cause__
            if not isinstance(refused, stripe.StripeError) or refused.code != "resource_missing":
                raise

    async def checkout(self, customer_id: str, plan: Plan, user_id: str, back: str) -> str:
        """Return the address where the customer pays; Stripe leads them `back` afterwards."""
        session: Any = {
            "mode": "subscription",
            "customer": customer_id,
            "client_reference_id": user_id,
            "line_items": [{"price": plan.price, "quantity": 1}],
            "success_url": f"{back}?checkout=done",
            "cancel_url": f"{back}?checkout=cancelled",
        }
        if plan.trial_days:
            session["subscription_data"] = {"trial_period_days": plan.trial_days}
        made = await self._ask(self._client.v1.checkout.sessions.create_async(session))
        return str(made["url"])

    async def portal(self, customer_id: str, back: str) -> str:
        """Return the address where the customer manages cards, invoices and cancellation."""
        made = await self._ask(
            self._client.v1.billing_portal.sessions.create_async(
                {"customer": customer_id, "return_url": back}
            )
        )
        return str(made["url"])

    async def change_plan(self, state: SubscriptionState, plan: Plan) -> None:
        """Move a subscription to another price now; the difference goes on the next invoice."""
        assert state.subscription_id is not None
        change: Any = {
            "items": [{"id": state.item_id, "price": plan.price}],
            "proration_behavior": "create_prorations",
            "cancel_at_period_end": False,
        }
        await self._ask(self._client.v1.subscriptions.update_async(state.subscription_id, change))

    async def read_subscription(self, customer_id: str) -> SubscriptionState:
        """Return the subscription that counts, as it is now."""
        found = await self._ask(
            self._client.v1.subscriptions.list_async(
                {
                    "customer": customer_id,
                    "status": "all",
                    "limit": 20,
                    "expand": ["data.latest_invoice"],
                }
            )
        )
        return state_of(found["data"])

    def webhook(self, body: bytes, signature: str | None) -> Webhook:
        """Return the event in a genuine webhook; raises WebhookRefused."""
        try:
            text = body.decode()
            stripe.WebhookSignature.verify_header(
                text, signature, self._secret, _WEBHOOK_AGE_SECONDS
            )
            event = stripe.Webhook.construct_event_without_verification(text).to_dict()
            about = event["data"]["object"]
            given = about["id"] if about.get("object") == "customer" else about.get("customer")
            customer = given["id"] if isinstance(given, dict) else given
            return Webhook(str(event["id"]), str(event["type"]), customer)
        except (stripe.StripeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WebhookRefused("This is not a genuine, fresh webhook.") from error

    async def _ask(self, call: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                answer: dict[str, Any] = (await call).to_dict()
        except (stripe.APIConnectionError, stripe.RateLimitError, TimeoutError) as error:
            raise StripeUnavailable("The payment provider does not answer. Try again.") from error
        except stripe.StripeError as error:
            if (error.http_status or 0) >= 500:
                raise StripeUnavailable("The payment provider is out of order.") from error
            raise StripeRefused("The payment provider refused this. It has been logged.") from error
        return answer


def state_of(subscriptions: list[dict[str, Any]]) -> SubscriptionState:
    """Return the state of the subscription that counts among a customer's."""
    known = [one for one in subscriptions if one["status"] in _RANK]
    if not known:
        return SubscriptionState()
    best = min(known, key=lambda one: (_RANK.index(one["status"]), -one["created"], one["id"]))
    item: Mapping[str, Any] = (best["items"]["data"] or [{}])[0]
    invoice = best.get("latest_invoice")
    owing = best["status"] in ("past_due", "unpaid") and isinstance(invoice, dict)
    # Since 2025 the period is the item's; before, it was the subscription's.
    ends = item.get("current_period_end") or best.get("current_period_end")
    return SubscriptionState(
        subscription_id=best["id"],
        item_id=item.get("id"),
        status=best["status"],
        price_id=(item.get("price") or {}).get("id"),
        current_period_end=_time(ends),
        cancel_at_period_end=bool(best.get("cancel_at_period_end") or best.get("cancel_at")),
        trial_end=_time(best.get("trial_end")),
        unpaid_since=_time(invoice["created"]) if owing and invoice else None,
    )


def _time(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
