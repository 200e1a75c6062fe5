"""A backing service as a process of its own, called by agents of the whole platform."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from growqr.identity.keys import SigningKeys
from growqr.testing import Platform
from tests.support.person import Person

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]


def settings_in_the_readme() -> list[dict[str, object]]:
    text = (ROOT / "examples/qscore/README.md").read_text()
    services: list[dict[str, object]] = json.loads(
        text.split("GROWQR_SERVICES='")[1].split("'\n")[0]
    )
    return services


@contextmanager
def qscore(listening: socket.socket, growqr_url: str) -> Iterator[None]:
    """Run the example, as its README starts it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "qscore:create_app"),
            *("--app-dir", "examples/qscore", "--fd", str(listening.fileno())),
        ],
        cwd=ROOT,
        env={**os.environ, "GROWQR_URL": growqr_url},
        pass_fds=[listening.fileno()],
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    (service,) = settings_in_the_readme()
    # Each has to know the other's address, so the service's is there before its process.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = {"GROWQR_SERVICES": json.dumps([{**service, "url": url}])}
        folder = tmp_path_factory.mktemp("services")
        with Platform(folder, environment) as platform, qscore(listening, platform.url):
            yield platform


def ask(person: Person, text: str) -> str:
    """Ask the Grow Agent, which delegates; gives how the task ended."""
    after = person.stored_events()[-1]["seq"]
    person.send(text)
    ended = person.wait_for(lambda e: e["type"] in ("task.completed", "task.failed"), after)
    task = ended["data"]
    assert task["agent"] == "service"
    return str(task["result"]["summary"] if task["result"] else task["reason"])


def test_the_grow_agent_has_a_service_asked_and_nobody_sees_anothers_data(
    platform: Platform,
) -> None:
    ada, bob = Person.register(platform.url, "Ada"), Person.register(platform.url, "Bob")
    assert {row["name"] for row in ada.get("/actors")["items"]} >= {"grow", "service"}
    scored = ask(ada, 'call the service qscore assess {"skill": "writing", "answers": [4, 5, 3]}')
    assert '"score": 75' in scored
    assert '"score": 75' in ask(ada, 'ask the service qscore latest {"skill": "writing"}')
    assert "404" in ask(bob, 'ask the service qscore latest {"skill": "writing"}')
    assert "422" in ask(bob, 'call the service qscore assess {"skill": "x", "answers": [9]}')


def test_a_rotation_of_keys_is_noticed_by_nobody(platform: Platform) -> None:
    ada = Person.register(platform.url)
    ask(ada, 'call the service qscore assess {"skill": "go", "answers": [5]}')
    done = subprocess.run(
        [sys.executable, "-m", "growqr.cli", "keys", "rotate"],
        env={**os.environ, "GROWQR_DATA_DIR": str(platform.data_dir)},
        check=True,
        capture_output=True,
        text=True,
    )
    (new,) = (word.strip(".") for word in done.stdout.split() if len(word.strip(".")) == 43)
    published = httpx.get(
        f"{platform.url}/.well-known/jwks.json", timeout=60, trust_env=False
    ).json()["keys"]
    assert (published[0]["kid"], len(published)) == (new, 2)
    assert '"score": 100' in ask(ada, 'ask the service qscore latest {"skill": "go"}')

    # One that signs at once, as after the minutes in between: the service reads the keys again.
    keys = SigningKeys(platform.data_dir / "secrets")
    assert keys.rotate(overlap=3600, ahead=0) == keys.current()[0]
    assert '"score": 100' in ask(ada, 'ask the service qscore latest {"skill": "go"}')
    assert ada.get("/auth/me")["id"] == ada.session["user"]["id"]


def test_the_service_takes_no_other_tokens(platform: Platform) -> None:
    (service,) = json.loads(platform.environment["GROWQR_SERVICES"])
    ada = Person.register(platform.url)
    for token in ("x", ada.session["token"], "a.b.c"):
        answer = httpx.get(
            f"{service['url']}/scores/writing",
            headers={"authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )
        assert answer.status_code == 401
