"""Settings with two plans, for tests against the Stripe-like server."""

import json
from pathlib import Path

from growqr.settings import BillingSettings, Plan, Settings
from tests.support.stripe_server import API_KEY, WEBHOOK_SECRET, StripeServer

PLANS = (
    Plan(
        key="plus",
        name="Plus",
        price="price_plus",
        display_price="€9 a month",
        messages_per_day=3,
        model_tokens_per_day=1_000,
        agents=("grow", "quest"),
    ),
    Plan(key="pro", name="Pro", price="price_pro", display_price="€29 a month", trial_days=14),
)


def stripe_settings(folder: Path, server: StripeServer, database_url: str = "") -> Settings:
    billing = BillingSettings.model_validate(
        {
            "provider": "stripe",
            "plans": PLANS,
            "grace_days": 3,
            "stripe_secret_key": API_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
            "stripe_api_base": server.url,
        }
    )
    return Settings(data_dir=folder, billing=billing, database_url=database_url)


def stripe_environment(server: StripeServer) -> dict[str, str]:
    """The same, for a platform in a process of its own."""
    return {
        "GROWQR_BILLING__PROVIDER": "stripe",
        "GROWQR_BILLING__PLANS": json.dumps([plan.model_dump() for plan in PLANS]),
        "GROWQR_BILLING__GRACE_DAYS": "3",
        "GROWQR_BILLING__STRIPE_SECRET_KEY": API_KEY,
        "GROWQR_BILLING__STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "GROWQR_BILLING__STRIPE_API_BASE": server.url,
    }
