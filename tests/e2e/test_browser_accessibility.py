"""Every screen, light and dark, has no serious fault that axe can find; keys reach everything."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from growqr.testing import Platform
from tests.e2e.test_browser import (
    BUILD_REQUEST,
    browser,
    log_in,
    open_channel,
    page,
    register,
    send,
)
from tests.support.person import Person

__all__ = ["browser", "page"]

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

AXE = Path("node_modules/axe-core/axe.min.js").read_text()
RUN = """
async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(({impact}) => impact === 'serious' || impact === 'critical')
  .map(({id, nodes}) => ({id, nodes: nodes.map(({html, any}) =>
    [html.slice(0, 200), any.map(({message}) => message).join('; ')])}))
"""


def check(page: Page, screen: str, found: list[str]) -> None:
    """Add to `found` what is wrong with the screen."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE)
        faults: list[dict[str, Any]] = page.evaluate(RUN)
        found += [f"{screen}, {scheme}: {json.dumps(fault, indent=1)}" for fault in faults]


def test_no_screen_has_a_serious_fault(page: Page) -> None:
    found: list[str] = []
    page.goto("/app/login")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    check(page, "login", found)
    page.goto("/app/register")
    expect(page.get_by_role("button", name="Create account")).to_be_visible()
    check(page, "register", found)

    register(page, "Fay")
    check(page, "an empty channel", found)
    send(page, "Remember that I like green tea in the morning")
    send(page, BUILD_REQUEST)
    tasks = page.get_by_role("region", name="Tasks")
    expect(tasks.get_by_text("completed").first).to_be_visible()
    check(page, "a channel", found)
    open_channel(page, "coding")
    expect(page.get_by_role("region", name="Workspace")).to_be_visible()
    expect(page.get_by_text("Hello from the sandbox").first).to_be_visible()
    check(page, "an agent's channel", found)
    page.get_by_role("button", name="Server log").click()
    expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
    check(page, "the server's log", found)
    page.keyboard.press("Escape")
    tasks.get_by_role("link").first.click()
    expect(page.get_by_role("group").get_by_text("greet.py").first).to_be_visible()
    check(page, "a task", found)

    screens: dict[str, Callable[[], None]] = {
        "quests": lambda: expect(page.get_by_role("button", name="Start").first).to_be_visible(),
        "memory": lambda: (
            page.get_by_role("navigation", name="Files")
            .get_by_role("button", name=re.compile("green tea"))
            .click()
        ),
        "code": lambda: page.get_by_role("main").get_by_role("link", name="grow").click(),
        "settings": lambda: page.get_by_role("button", name="Delete account…").click(),
    }
    for screen, look_further in screens.items():
        page.goto(f"/app/{screen}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("status", name=re.compile("^Loading"))).to_have_count(0)
        check(page, screen, found)
        look_further()
        expect(page.get_by_role("status", name=re.compile("^Loading"))).to_have_count(0)
        check(page, f"{screen}, one step further", found)

    page.set_viewport_size({"width": 375, "height": 740})
    page.goto("/app/channels/grow")
    page.get_by_role("button", name="Open menu").click()
    expect(page.get_by_role("dialog", name="Menu")).to_be_visible()
    check(page, "the menu of a small screen", found)
    assert not found, "\n".join(found)
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 375, "a small screen scrolls sideways"


def propose(person: Person, repo: str, number: int) -> None:
    """Open a pull request whose branch and main have both written the same file."""
    branch, path = f"topic-{number}", f"notes-{number}.md"
    person.post(f"{repo}/branch", {"name": branch})
    for where, text in ((branch, "of the branch"), ("main", "of main")):
        change = {"path": path, "content": f"# Notes\n\nThe words {text}.\n"}
        person.post(
            f"{repo}/commit", {"subject": "write notes", "changes": [change], "branch": where}
        )
    person.post(f"{repo}/pull-request", {"branch": branch, "title": "Write notes"})


def test_no_page_that_one_seldom_sees_has_a_serious_fault(
    page: Page, offline_platform: Platform
) -> None:
    found: list[str] = []
    person = Person.register(offline_platform.url, "Kim")
    repo = person.post("/git/repos", {"name": "todo", "description": "What is to do"})["id"]
    propose(person, f"/git/repos/{repo}", 1)
    page.goto("/app/nowhere")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    check(page, "an address without a page", found)
    log_in(page, person.email)

    page.goto(f"/app/code/{repo}/pull-requests/1")
    expect(page.get_by_role("list", name="Conflicts")).to_be_visible()
    expect(page.get_by_text("+The words of the branch.")).to_be_visible()
    check(page, "a pull request", found)
    page.get_by_role("button", name="Close without merging").click()
    expect(page.get_by_text("closed", exact=True)).to_be_visible()
    check(page, "a closed pull request", found)

    page.context.set_offline(True)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    check(page, "a lost connection", found)
    page.get_by_role("link", name="Quests").click()
    expect(page.get_by_text("This page could not be loaded")).to_be_visible()
    check(page, "a page that could not be loaded", found)
    page.context.set_offline(False)  # and the page comes by itself
    expect(page.get_by_role("button", name="Start").first).to_be_visible()

    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Delete account…").click()
    dialog = page.get_by_role("dialog", name="Delete your account?")
    dialog.get_by_label(re.compile("^Type ")).fill(person.email)
    dialog.get_by_label("Password", exact=True).fill("correct horse 1")
    dialog.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("link", name="Download everything")).to_be_visible()
    check(page, "goodbye", found)
    page.goto("/app/nowhere")
    page.goto("/app/goodbye")  # as somebody would who only knows the address
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert not found, "\n".join(found)


def test_keys_are_enough(page: Page) -> None:
    register(page, "Gil")
    page.reload()
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

    page.keyboard.press("Control+k")
    page.keyboard.type("sett")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()

    opener = page.get_by_role("button", name="Delete account…")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete your account?")
    expect(dialog.locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()

    page.keyboard.press("Control+k")
    page.keyboard.type("grow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_focused()
    page.keyboard.type("Remember that I play chess")
    page.keyboard.press("Enter")
    log = page.get_by_role("log", name="Messages")
    expect(log.get_by_role("article").filter(has_text=re.compile("play.chess"))).to_have_count(2)
