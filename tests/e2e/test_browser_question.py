"""A person answers what the coding agent asks, in the browser, and the task goes on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from growqr.ids import new_id
from growqr.testing import Platform
from tests.e2e.test_browser import browser, page, register, send
from tests.e2e.test_browser_accessibility import check

__all__ = ["browser", "page"]

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

REQUEST = """Write a program and leave a mark.

```python mark.py
print("marked")
```

run: touch marker.txt"""


@pytest.fixture(scope="module")
def offline_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform whose coding agent has to ask before it touches a file."""
    asking = {"GROWQR_SANDBOX__COMMANDS_ASK": '["touch *"]'}
    with Platform(tmp_path_factory.mktemp("asking"), asking) as platform:
        yield platform


def test_a_task_goes_on_when_its_command_is_allowed(page: Page) -> None:
    found: list[str] = []
    register(page, "Hal")
    send(page, REQUEST)
    tasks = page.get_by_role("region", name="Tasks")
    answer = tasks.get_by_role("link", name="Answer in #coding")
    expect(answer).to_be_visible()  # has longer than a click: the sandbox starts
    answer.click()
    card = page.get_by_role("region", name="Question")
    expect(card.get_by_text("Asks for your permission")).to_be_visible()
    expect(card.get_by_role("button", name="Deny")).to_be_visible()
    check(page, "a question", found)

    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page, "the quick switcher", found)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    card.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Answered: Allow")).to_be_visible()
    expect(card).to_have_count(0)
    expect(tasks.get_by_text("completed")).to_be_visible()
    tasks.get_by_role("link", name=re.compile("leave a mark|Write a program")).first.click()
    facts = page.get_by_role("region", name="What the platform recorded")
    expect(facts.get_by_text("touch marker.txt")).to_be_visible()
    expect(facts.get_by_text("exit code 0")).to_be_visible()
    expect(facts.get_by_text("agents/coding/marker.txt")).to_be_visible()
    assert not found, "\n".join(found)


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus, as somebody without a mouse would."""
    for _ in range(60):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {target}")


def test_the_main_job_needs_no_mouse(page: Page) -> None:
    keys = page.keyboard
    page.goto("/")
    tab_to(page, page.get_by_role("link", name="Create an account"))
    keys.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    keys.type("Ida")
    keys.press("Tab")
    keys.type(f"ida-{new_id('x')[-8:]}@example.com")
    keys.press("Tab")
    keys.type("correct horse 1")
    keys.press("Enter")

    field = page.get_by_role("textbox", name="Message #grow")
    expect(field).to_be_focused()
    keys.type("Remember that I like green tea")
    keys.press("Enter")
    articles = page.get_by_role("log", name="Messages").get_by_role("article")
    expect(articles.filter(has_text=re.compile("green.tea"))).to_have_count(2)
    keys.insert_text(REQUEST)
    keys.press("Enter")

    tasks = page.get_by_role("region", name="Tasks")
    answer = tasks.get_by_role("link", name="Answer in #coding")
    expect(answer).to_be_visible()
    tab_to(page, answer)
    keys.press("Enter")
    card = page.get_by_role("region", name="Question")
    expect(card).to_be_focused()
    expect(page.get_by_role("button", name=re.compile("waits for you"))).to_be_visible()
    keys.press("Tab")
    expect(card.get_by_role("button", name="Allow")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_text("Answered: Allow")).to_be_visible()

    expect(tasks.get_by_text("completed")).to_be_visible()
    tab_to(page, tasks.get_by_role("link").first)
    keys.press("Enter")
    facts = page.get_by_role("region", name="What the platform recorded")
    expect(facts.get_by_text("agents/coding/marker.txt")).to_be_visible()

    keys.press("Control+k")
    keys.type("mem")
    keys.press("Enter")
    undo = page.get_by_role("button", name=re.compile("^Undo remember.*green tea"))
    expect(undo).to_be_visible()
    tab_to(page, undo)
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Undo this change?")
    tab_to(page, dialog.get_by_role("button", name="Undo change"))
    keys.press("Enter")
    expect(dialog).to_have_count(0)
    expect(undo).to_be_focused()
    history = page.get_by_role("region", name="History")
    expect(history.get_by_role("article", name=re.compile("^revert", re.I))).to_be_visible()
