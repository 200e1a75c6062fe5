"""What a person who pays sees: sign up, pay, use, fail to pay, be suspended, pay, go on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from growqr.testing import Platform
from tests.e2e.test_billing import shop
from tests.e2e.test_browser import browser
from tests.e2e.test_browser_accessibility import check
from tests.support.stripe_server import StripeServer

__all__ = ["browser", "shop"]

pytestmark = pytest.mark.live


@pytest.fixture
def page(browser: Browser, shop: tuple[Platform, StripeServer]) -> Iterator[Page]:
    context = browser.new_context(base_url=shop[0].url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield context.new_page()
    context.close()


def test_a_person_pays_falls_behind_and_pays_again(
    page: Page, shop: tuple[Platform, StripeServer]
) -> None:
    _, stripe = shop
    found: list[str] = []
    page.goto("/app/register")
    page.get_by_role("textbox", name="Name").fill("Eve")
    page.get_by_role("textbox", name="Email").fill("eve@example.com")
    page.get_by_label("Password", exact=True).fill("correct horse 1")
    page.get_by_role("button", name="Create account").click()
    field = page.get_by_role("textbox", name="Message #grow")
    expect(field).to_be_disabled()
    expect(page.get_by_text("You can read everything meanwhile.")).to_be_visible()
    check(page, "an agent without a plan", found)

    page.get_by_role("link", name="See your plan").click()
    expect(page.get_by_role("button", name="Choose Pro")).to_be_visible()
    check(page, "plans", found)
    page.get_by_role("button", name="Choose Pro").click()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/app/settings?checkout=done")
    billing = page.get_by_role("region", name="Billing")
    expect(billing.get_by_text("trialing")).to_be_visible()

    page.goto("/app/channels/grow")
    expect(field).to_be_enabled()
    field.fill("Remember that I like tea")
    field.press("Enter")
    articles = page.get_by_role("log", name="Messages").get_by_role("article")
    about_tea = articles.filter(has_text=re.compile(r"\btea\b"))
    expect(about_tea).to_have_count(2)

    customer = list(stripe.customers)[-1]
    stripe.fail_payment(customer, days_ago=4)
    stripe.deliver()
    expect(field).to_be_disabled()
    expect(about_tea).to_have_count(2)

    page.get_by_role("link", name="See your plan").click()
    expect(page.get_by_role("button", name="Manage payment")).to_be_visible()
    check(page, "a plan that is not paid", found)
    page.get_by_role("button", name="Manage payment").click()
    page.get_by_role("button", name="Pay what is open").click()
    page.wait_for_url("**/app/settings")
    expect(billing.get_by_text("active", exact=True)).to_be_visible()
    page.goto("/app/channels/grow")
    expect(field).to_be_enabled()
    field.fill("What do you know about tea?")
    field.press("Enter")
    expect(about_tea).to_have_count(4)
    assert not found, "\n".join(found)
