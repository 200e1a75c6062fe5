"""A channel that is years old: however far one reads, little is drawn, and nothing moves."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from growqr.testing import Platform
from tests.e2e.test_browser import browser, log_in, page
from tests.support.person import Person

__all__ = ["browser", "page"]

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

NEWEST = 700
MOST = 200

# How far below the upper edge of its box the message `number` stands, and what is drawn.
PLACE = """
(log, number) => {
  const box = log.parentElement.parentElement.getBoundingClientRect();
  const articles = [...log.querySelectorAll('article')];
  const one = articles.find((article) => article.innerText.includes(`number ${number}.`));
  return [one && Math.round(one.getBoundingClientRect().top - box.top), articles.length];
}
"""
SCROLL = "(log, up) => log.parentElement.parentElement.scrollTo(0, up ? 0 : 1e9)"


def messages(route: Route) -> None:
    """Answer with a page of a long past: every seventh message is a long one."""
    query = parse_qs(urlsplit(route.request.url).query)
    last = int(query.get("cursor", [NEWEST])[0])
    first = max(1, last - 49)
    items: list[dict[str, Any]] = [
        {
            "id": f"msg_{number}",
            "seq": number,
            "role": "agent",
            "author": "repo",
            "text": f"number {number}." + " and on" * (400 if number % 7 == 0 else 3),
            "in_reply_to": None,
            "at": f"2026-01-{1 + number * 27 // NEWEST:02d}T12:00:00Z",
            "metadata": {},
        }
        for number in range(first, last + 1)
    ]
    route.fulfill(json={"items": items, "next_cursor": str(first - 1) if first > 1 else None})


def test_what_one_reads_stays_where_it_is(page: Page, offline_platform: Platform) -> None:
    log_in(page, Person.register(offline_platform.url, "Nia").email)
    page.route(re.compile(r"/channels/[^/]+/messages"), messages)
    channels = page.get_by_role("navigation", name="Channels")
    channels.get_by_role("link", name=re.compile("repo")).click()
    log = page.get_by_role("log", name="Messages")
    expect(log.get_by_text(f"number {NEWEST}.")).to_be_in_viewport()

    first = NEWEST - 49
    while first > 1:
        log.evaluate(SCROLL, True)
        before, _ = log.evaluate(PLACE, first)
        page.get_by_role("button", name="Show earlier messages").click()
        expect(log.get_by_text(f"number {first - 1}.")).to_have_count(1)
        after, drawn = log.evaluate(PLACE, first)
        assert abs(after - before) <= 1, first
        assert drawn <= MOST
        first -= 50
    expect(page.get_by_role("button", name="Show earlier messages")).to_have_count(0)

    last = MOST
    for _ in range(2):
        log.evaluate(SCROLL, False)
        before, _ = log.evaluate(PLACE, last)
        page.get_by_role("button", name="Show later messages").click()
        expect(log.get_by_text(f"number {last + 50}.")).to_have_count(1)
        after, drawn = log.evaluate(PLACE, last)
        assert abs(after - before) <= 1, last
        assert drawn <= MOST
        last += 50

    page.get_by_role("button", name="Jump to latest").click()
    expect(log.get_by_text(f"number {NEWEST}.")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to latest")).to_have_count(0)
