import pytest

from growqr.billing.entitlement import Entitlement, Entitlements
from growqr.errors import EntitlementRequired
from growqr.settings import BillingSettings

pytestmark = pytest.mark.anyio


async def test_without_a_billing_provider_everyone_is_entitled() -> None:
    entitlement = await Entitlements(BillingSettings()).require("usr_ada")
    assert entitlement.entitled
    assert entitlement.plan == "self-hosted"


async def test_require_refuses_who_is_not_entitled() -> None:
    class Unpaid(Entitlements):
        async def check(self, user_id: str) -> Entitlement:
            return Entitlement(False, "pro", "past_due", "The last payment failed.")

    with pytest.raises(EntitlementRequired, match="payment failed"):
        await Unpaid(BillingSettings()).require("usr_ada")
