"""A person answers what the coding agent asks, in the browser, and the task goes on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

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
    tasks.get_by_role("link", name="Answer in #coding").click()
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
