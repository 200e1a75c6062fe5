"""A person's first hour in the browser, with the offline model: everything in the README.

Screenshots of each station are left in `test-results/` for people to look at.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from growqr.ids import new_id
from growqr.testing import Platform
from tests.support.person import Person

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

SHOTS = Path("test-results")
BUILD_REQUEST = """Write a program that greets me and run it.

```python greet.py
print("Hello from the sandbox")
```

run: python3 greet.py"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "no browser: run ./grow test, which installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, offline_platform: Platform) -> Iterator[Page]:
    context = browser.new_context(
        base_url=offline_platform.url, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    shoot(page, "last")
    context.close()
    assert not problems, problems


def shoot(page: Page, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def register(page: Page, name: str = "Ada") -> str:
    email = f"{name.lower()}-{new_id('x')[-8:]}@example.com"
    page.goto("/")
    page.get_by_role("link", name=re.compile("create (an )?account|register|sign up", re.I)).click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Email").fill(email)
    page.get_by_label("Password", exact=True).fill("correct horse 1")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_visible()
    return email


def send(page: Page, text: str, channel: str = "grow") -> None:
    page.get_by_role("textbox", name=f"Message #{channel}").fill(text)
    page.get_by_role("button", name="Send").click()


def open_channel(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Channels").get_by_role(
        "link", name=re.compile(rf"\b{name}\b")
    ).click()
    expect(page.get_by_role("textbox", name=f"Message #{name}")).to_be_visible()


def test_a_first_hour(page: Page) -> None:
    email = register(page)
    log = page.get_by_role("log", name="Messages")
    shoot(page, "1-welcome")

    # It remembers, and the memory is a file with a commit.
    send(page, "Remember that I like green tea in the morning")
    expect(log.get_by_role("article").filter(has_text=re.compile("green.tea"))).to_have_count(2)
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_text(re.compile("green-?\\s?tea", re.I)).first).to_be_visible()
    shoot(page, "2-memory")

    # It hands a coding job to the coding agent, which runs it in a sandbox.
    open_channel(page, "grow")
    send(page, BUILD_REQUEST)
    tasks = page.get_by_role("region", name="Tasks")
    expect(tasks.get_by_text(re.compile("completed", re.I)).first).to_be_visible()
    shoot(page, "3-task")
    open_channel(page, "coding")
    expect(page.get_by_text("Hello from the sandbox").first).to_be_visible()
    shoot(page, "4-coding")

    # A quest asks, and ends.
    page.get_by_role("link", name="Quests").click()
    shoot(page, "5-quests")
    quest = page.get_by_role("article").filter(has_text=re.compile("weekly review", re.I))
    quest.get_by_role("button", name="Start").click()
    expect(page.get_by_role("textbox", name="Message #quest")).to_be_visible()
    log = page.get_by_role("log", name="Messages")
    finish_quest(page)
    shoot(page, "6-quest")

    # Billing says that there is none.
    page.get_by_role("link", name=re.compile("Settings|Billing")).first.click()
    expect(page.get_by_text(re.compile("self-hosted, no billing", re.I)).first).to_be_visible()
    shoot(page, "7-settings")

    # After a reload everything is there once, and after logging in again, too.
    open_channel(page, "grow")
    page.reload()
    said = log.get_by_role("article").filter(has_text="Remember that I like green tea")
    expect(said).to_have_count(1)
    log_out(page)
    log_in(page, email)
    expect(said).to_have_count(1)


def log_in(page: Page, email: str) -> None:
    """Log in with the password of `register`, from wherever the page is."""
    page.goto("/app/login")
    page.get_by_role("textbox", name="Email").fill(email)
    page.get_by_label("Password", exact=True).fill("correct horse 1")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_visible()


def finish_quest(page: Page) -> None:
    """Answer until the quest says that it is complete."""
    log = page.get_by_role("log", name="Messages")
    articles = log.get_by_role("article")
    done = page.get_by_text(re.compile("quest (is )?complete", re.I)).first
    for number in range(1, 12):
        asked = articles.filter(has_text="?").last
        expect(asked.or_(done).first).to_be_visible()
        if done.is_visible():
            return
        before = articles.count()
        send(page, f"Answer number {number}", "quest")
        # My answer and the quest's next word.
        expect(articles.nth(before + 1)).to_be_visible()
    expect(done).to_be_visible()


def log_out(page: Page) -> None:
    button = page.get_by_role("button", name=re.compile("log out", re.I))
    if not button.is_visible():
        page.get_by_role("button", name=re.compile("account|menu|Ada", re.I)).first.click()
        button = page.get_by_role("menuitem", name=re.compile("log out", re.I)).or_(button)
    button.first.click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_it_reconnects_and_shows_nothing_twice(page: Page, offline_platform: Platform) -> None:
    register(page, "Bea")
    log = page.get_by_role("log", name="Messages")
    send(page, "Remember that I play chess")
    expect(log.get_by_role("article").filter(has_text=re.compile("play.chess"))).to_have_count(2)
    page.context.set_offline(True)
    page.context.set_offline(False)
    send(page, "My goal is to run a marathon")
    expect(log.get_by_role("article").filter(has_text="marathon")).to_have_count(2)
    expect(log.get_by_role("article").filter(has_text="I play chess")).to_have_count(1)


def test_a_channel_opens_at_the_first_unread_message(
    page: Page, offline_platform: Platform
) -> None:
    page.set_viewport_size({"width": 1280, "height": 480})
    person = Person.register(offline_platform.url, "Cid")
    log_in(page, person.email)
    log = page.get_by_role("log", name="Messages")
    page.get_by_role("link", name="Memory").click()
    expect(page.get_by_role("heading", name="Memory", level=1)).to_be_visible()
    for number in range(12):
        person.send(f"Remember that the word of day {number} is growth{number}")
    link = page.get_by_role("navigation", name="Channels").get_by_role("link", name="grow")
    expect(link).to_have_accessible_name(re.compile(r"12\s?unread"))

    link.click()
    last = log.get_by_role("article").last
    expect(log.get_by_role("separator", name="New messages")).to_be_in_viewport()
    expect(last).not_to_be_in_viewport()
    jump = page.get_by_role("button", name="Jump to latest")
    jump.focus()
    page.keyboard.press("Enter")
    expect(last).to_be_in_viewport()
    expect(jump).to_have_count(0)
    page.keyboard.press("Home")  # the messages have the focus now
    expect(last).not_to_be_in_viewport()

    # Where nothing is new, it opens at its end.
    page.get_by_role("link", name="Memory").click()
    link.click()
    expect(last).to_be_in_viewport()
    expect(log.get_by_role("separator", name="New messages")).to_have_count(0)


def test_a_wrong_password_is_told_kindly(page: Page) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="Email").fill("nobody@example.com")
    page.get_by_label("Password", exact=True).fill("wrong password 1")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
