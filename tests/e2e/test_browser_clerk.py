"""Accounts at Clerk in the browser: sign in, work, keys that rotate, sign out, leave.

Clerk's scripts are the real ones, from npm; the Frontend API that they speak to is imitated
(`tests.support.clerk_frontend`), because Clerk itself can't be reached from a test machine. All
behind the session tokens is real. With GROWQR_TEST_CLERK_PUBLISHABLE_KEY and …SECRET_KEY of a
development instance with addresses and passwords, the same runs against Clerk itself.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from growqr.ids import new_id
from growqr.testing import Platform
from tests.e2e.test_browser import browser, send, shoot
from tests.e2e.test_browser_accessibility import AXE
from tests.support.clerk_frontend import PASSWORD, ClerkFrontend, claims_of
from tests.support.clerk_server import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    ClerkServer,
    clerk_server,
)

__all__ = ["browser"]

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

# Clerk's own part of the page is not ours to judge.
RUN = """
async () => (await axe.run({exclude: [['.cl-rootBox']]}, {resultTypes: ['violations']})).violations
  .filter(({impact}) => impact === 'serious' || impact === 'critical')
  .map(({id, nodes}) => ({id, nodes: nodes.map(({html}) => html.slice(0, 200))}))
"""


@dataclass
class World:
    """A platform whose accounts are at Clerk, and a person there; `clerk`: not the real one."""

    platform: Platform
    email: str
    password: str
    clerk: ClerkServer | None


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Any]]:
    publishable = os.environ.get("GROWQR_TEST_CLERK_PUBLISHABLE_KEY")
    keys = {"PROVIDER": "clerk", "CLERK_WEBHOOK_SECRET": WEBHOOK_SECRET}
    folder = tmp_path_factory.mktemp("clerk")
    if publishable:
        secret = os.environ["GROWQR_TEST_CLERK_SECRET_KEY"]
        keys |= {"CLERK_PUBLISHABLE_KEY": publishable, "CLERK_SECRET_KEY": secret}
        with Platform(folder, _variables(keys)) as platform:
            yield platform, None
        return
    with clerk_server() as clerk:
        keys |= {"CLERK_PUBLISHABLE_KEY": PUBLISHABLE_KEY, "CLERK_SECRET_KEY": SECRET_KEY}
        keys |= {"CLERK_API_URL": clerk.url}
        with Platform(folder, _variables(keys)) as platform:
            yield platform, clerk


def _variables(keys: dict[str, str]) -> dict[str, str]:
    return {f"GROWQR_IDENTITY__{name}": value for name, value in keys.items()}


@pytest.fixture
def world(platform: tuple[Platform, ClerkServer | None]) -> Iterator[World]:
    running, clerk = platform
    name = f"ada{new_id('x')[-8:]}".lower()
    if clerk is not None:
        clerk.add(name)
        yield World(running, f"{name}@example.org", PASSWORD, clerk)
        return
    key = os.environ["GROWQR_TEST_CLERK_SECRET_KEY"]
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url="https://api.clerk.com", headers=headers, timeout=30) as api:
        email = f"{name}+clerk_test@example.com"
        password = f"{PASSWORD} {name}"
        account = {"email_address": [email], "password": password, "first_name": "Ada"}
        made = api.post("/v1/users", json=account).raise_for_status().json()
        yield World(running, email, password, None)
        api.delete(f"/v1/users/{made['id']}")


@dataclass
class Visit:
    """A page, and what Clerk knows of it (None: it is the real one)."""

    page: Page
    frontend: ClerkFrontend | None
    used: list[str]
    """The tokens that the page sent to the platform."""


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Visit]:
    context = browser.new_context(
        base_url=world.platform.url, viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page = context.new_page()
    frontend = None
    if world.clerk is not None:
        frontend = ClerkFrontend(world.clerk, world.platform.url, lifetime=33)
        frontend.serve(page)
    used: list[str] = []

    def note(request: Request) -> None:
        bearer = request.headers.get("authorization", "")
        if request.url.startswith(world.platform.url) and bearer:
            used.append(bearer.removeprefix("Bearer "))

    page.on("request", note)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield Visit(page, frontend, used)
    shoot(page, "clerk-last")
    context.close()
    assert not problems, problems
    assert frontend is None or not frontend.unknown, frontend.unknown


def sign_in(page: Page, world: World) -> None:
    address = page.get_by_label("Email address")
    address.fill(world.email)
    button = page.get_by_role("button", name="Continue", exact=True)
    button.click()
    page.get_by_label("Password", exact=True).fill(world.password)
    button.click()
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_visible()


def left_at_renewals(visit: Visit) -> list[int]:
    """Return how many seconds each token had left when the page got the next one."""
    claims = [claims_of(token) for token in dict.fromkeys(visit.used)]
    return [one["exp"] - following["iat"] for one, following in pairwise(claims)]


def wait_for_renewal(visit: Visit) -> None:
    """Wait until the token has less than half a minute left, so that the page asks for another."""
    ends = claims_of(visit.used[-1])["exp"] * 1000
    visit.page.wait_for_function("ends => ends - Date.now() < 30_000", arg=ends, timeout=60_000)


def check(page: Page) -> None:
    """Nothing of ours on the page has a serious fault that axe can find."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        shoot(page, f"clerk-1-{scheme}")
        page.evaluate(AXE)
        faults = page.evaluate(RUN)
        assert not faults, f"{scheme}: {json.dumps(faults, indent=1)}"


def test_signing_in_working_and_signing_out(visit: Visit, world: World) -> None:
    page = visit.page
    page.goto("/")
    expect(page.get_by_label("Email address")).to_be_visible()
    check(page)
    page.get_by_role("link", name="Sign up").click()
    expect(page.locator(".cl-signUp-root").get_by_label("Email address")).to_be_visible()
    check(page)
    page.go_back()
    sign_in(page, world)
    log = page.get_by_role("log", name="Messages")

    def about(word: str, count: int) -> None:
        expect(log.get_by_role("article").filter(has_text=re.compile(word))).to_have_count(count)

    send(page, "Remember that I like green tea")
    about("green.tea", 2)

    # A token is over soon: before that, and not earlier, the page asks Clerk for another.
    first = visit.used[-1]
    wait_for_renewal(visit)
    send(page, "Remember that I play chess")
    about("play.chess", 2)
    assert visit.used[-1] != first
    assert claims_of(visit.used[-1])["sub"] == claims_of(first)["sub"]
    assert all(left <= 30 for left in left_at_renewals(visit))

    if world.clerk is not None:
        world.clerk.rotate("ins_2")
        wait_for_renewal(visit)
        send(page, "Remember that I sing")
        about("sing", 2)
    page.reload()
    about("green.tea", 2)

    log_out_to_clerk(page)
    assert page.evaluate("() => localStorage.getItem('growqr.session')") is None
    if visit.frontend is not None and world.clerk is not None:
        assert not visit.frontend.signed_in
        over = world.clerk.token(claims_of(first)["sub"], azp=page.url, exp=int(time.time()) - 6)
        headers = {"authorization": f"Bearer {over}"}
        answer = httpx.get(f"{world.platform.url}/auth/me", headers=headers, timeout=60)
        assert answer.status_code == 401
    page.reload()
    expect(page.get_by_label("Email address")).to_be_visible()


def log_out_to_clerk(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Account of")).click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_label("Email address")).to_be_visible()


def test_whoever_clerk_knows_is_let_in_and_what_ends_there_ends_here(
    visit: Visit, world: World
) -> None:
    page = visit.page
    page.goto("/")
    sign_in(page, world)
    page.evaluate("() => localStorage.removeItem('growqr.session')")
    page.goto("/app/login")
    expect(page.get_by_role("textbox", name="Message #grow")).to_be_visible()
    if visit.frontend is None:
        return  # only the imitation can be told to end a session
    visit.frontend.sign_out_elsewhere()
    page.reload()
    expect(page.get_by_label("Email address")).to_be_visible()
    assert page.evaluate("() => localStorage.getItem('growqr.session')") is None


def test_without_clerks_script_the_page_says_so(visit: Visit) -> None:
    page = visit.page
    page.clock.install()
    page.route("**/npm/@clerk/**", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_text("Loading the sign-in…")).to_be_visible()
    page.clock.fast_forward(20_000)  # it is waited for that long
    expect(page.get_by_role("alert")).to_contain_text("can’t be loaded")


def test_leaving_with_everything(visit: Visit, world: World) -> None:
    page = visit.page
    page.goto("/")
    sign_in(page, world)
    page.goto("/app/settings")

    def leave() -> None:
        page.get_by_role("button", name="Delete account…").click()
        dialog = page.get_by_role("dialog", name="Delete your account?")
        dialog.get_by_label(re.compile("to confirm")).fill(world.email)
        dialog.get_by_role("button", name="Delete everything").click()

    if visit.frontend is not None:
        visit.frontend.login_age = 11
        page.reload()
        wait_for_renewal(visit)
        leave()
        expect(page.get_by_role("alert")).to_contain_text("Log out and in again first")
        page.get_by_role("button", name="Keep my account").click()
        log_out_to_clerk(page)
        visit.frontend.login_age = 0
        sign_in(page, world)
        page.goto("/app/settings")
    leave()
    link = page.get_by_role("link", name="Download everything")
    expect(link).to_be_visible()
    file = httpx.get(str(link.get_attribute("href")), timeout=60)
    assert file.content[:2] == b"PK"
    if world.clerk is not None:
        assert world.email not in str(world.clerk.users)
    page.wait_for_function("() => window.Clerk.session === null")
    expect(link).to_be_visible()
