"""`growqr capabilities`, as an operator runs it, and what the agent reads afterwards."""

import asyncio

import pytest
from typer.testing import CliRunner, Result

from growqr.agents.spec import load_spec
from growqr.api.provisioning import CAPABILITIES
from growqr.cli import app
from growqr.operations.capabilities import KNOWN
from growqr.operations.restore import restore_all
from growqr.operations.stores import open_stores
from tests.operations.conftest import Installation

USUAL = list(CAPABILITIES["coding"])


@pytest.fixture
def ada(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    async def make() -> None:
        for name in ("ada", "bob"):
            await installation.add_person(name)
        async with open_stores(installation.settings) as stores:
            await restore_all(stores)

    asyncio.run(make())
    monkeypatch.setenv("GROWQR_DATA_DIR", str(installation.settings.data_dir))
    return installation


def run(*arguments: str, user: str = "ada@example.com", agent: str = "coding") -> Result:
    return CliRunner().invoke(app, ["capabilities", user, agent, *arguments])


def listed(*arguments: str, user: str = "ada@example.com") -> list[str]:
    result = run(*arguments, user=user)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def held(installation: Installation, actor_id: str) -> frozenset[str]:
    async def read() -> frozenset[str]:
        async with open_stores(installation.settings) as stores, stores.db.session() as session:
            return (await load_spec(session, actor_id)).capabilities

    return asyncio.run(read())


def test_an_agent_may_only_look_from_its_next_start_on(ada: Installation) -> None:
    assert listed() == USUAL
    ask = "opencode.command.ask:rm -r *"
    changed = run("--remove", "opencode.run", "--add", "opencode.read", "--add", ask)
    expected = [*USUAL[:-1], "opencode.read", ask]
    assert changed.stdout.splitlines() == expected
    assert "from its next start on" in changed.stderr
    assert held(ada, "act_ada_coding") == set(expected)
    assert held(ada, "act_bob_coding") == set(USUAL)
    assert listed("--add", ask, "--remove", "git.settle") == expected
    assert listed() == expected


@pytest.mark.parametrize(
    "word",
    ["opencode.rum", "opencode.command", "opencode.run:x", "service.call:", "git.commit:a\nb", ""],
)
def test_a_word_that_means_nothing_is_refused_and_the_known_ones_are_told(
    ada: Installation, word: str
) -> None:
    refused = run("--remove", "opencode.run", "--add", word)
    assert refused.exit_code == 1
    assert "There is no capability" in refused.stderr
    assert all(name in refused.stderr for name in KNOWN)
    assert listed() == USUAL


def test_an_unknown_account_or_agent_is_told(ada: Installation) -> None:
    assert "no account `eve`" in run(user="eve").stderr
    agent = run(agent="cook")
    assert agent.exit_code == 1
    assert "there are: grow, coding, quest, repo" in agent.stderr


def test_what_agents_get_at_first_is_known(ada: Installation) -> None:
    for name, words in CAPABILITIES.items():
        if name in ("grow", "coding", "repo", "quest"):
            assert run(*(f"--add={word}" for word in words), agent=name).exit_code == 0
    assert listed(*(f"--add={word}" for word in CAPABILITIES["service"]))[-1] == "service.call:*"
