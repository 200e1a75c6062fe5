"""What a browser has to fetch before somebody can begin, as bytes on the wire."""

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from growqr.testing import Platform
from tests.e2e.test_browser import browser, log_in, page
from tests.support.person import Person

__all__ = ["browser", "page"]

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

# Scripts and styles, packed. Fonts come while the page is already read.
LOGIN_BYTES = 140_000
CHANNEL_BYTES = 250_000


def first_load(page: Page, path: str, ready: str) -> dict[str, int]:
    """Open `path` with an empty cache; give the sizes of the scripts and styles it fetched."""
    fetched: list[Response] = []
    page.on("response", lambda response: fetched.append(response))
    page.goto(path)
    expect(page.get_by_role("textbox", name=ready)).to_be_visible()
    code = [one for one in fetched if one.url.endswith((".js", ".css"))]
    assert all(one.header_value("content-encoding") == "gzip" for one in code)
    return {one.url.rpartition("/")[2]: one.request.sizes()["responseBodySize"] for one in code}


def test_the_first_load_is_small(page: Page, browser: Browser, offline_platform: Platform) -> None:
    login = first_load(page, "/app/login", "Email")
    assert sum(login.values()) < LOGIN_BYTES, login

    person = Person.register(offline_platform.url, "Lea")
    log_in(page, person.email)
    with browser.new_context(
        base_url=offline_platform.url, storage_state=page.context.storage_state()
    ) as fresh:
        channel = first_load(fresh.new_page(), "/app/channels/grow", "Message #grow")
    assert sum(channel.values()) < CHANNEL_BYTES, channel
    assert not any("Clerk" in name for name in [*login, *channel])
