import json
from collections.abc import Mapping

import pytest

from growqr.opencode.config import environment, rules_in_force
from growqr.opencode.rules import Permissions, Rules, rules_of
from growqr.settings import SandboxSettings


def in_opencodes_form(permissions: Permissions) -> list[dict[str, object]]:
    """Return rules as OpenCode's `GET /agent` lists them."""
    return [
        {"permission": name, "pattern": pattern, "action": what}
        for name, action in permissions.items()
        for pattern, what in (action if isinstance(action, Mapping) else {"*": action}).items()
    ]


def agents(*more: dict[str, object], rules: Rules) -> list[dict[str, object]]:
    own = [*in_opencodes_form(rules.permissions()), *more]
    return [{"name": name, "permission": own} for name in ("build", "general")]


ASKING = Rules(ask=("git push*",), deny=("rm *",))
BASH: dict[str, object] = {"permission": "bash", "pattern": "*", "action": "allow"}
FOLDER: dict[str, object] = {"permission": "external_directory", "pattern": "/x", "action": "allow"}


def test_our_rules_must_come_last_for_every_agent() -> None:
    assert rules_in_force(agents(FOLDER, rules=ASKING), ASKING)
    assert not rules_in_force(agents(BASH, rules=ASKING), ASKING)
    assert not rules_in_force(agents(rules=Rules()), ASKING)
    assert not rules_in_force([*agents(rules=ASKING), {"name": "plan", "permission": []}], ASKING)
    assert not rules_in_force([{**agents(rules=ASKING)[0], "name": "plan"}], ASKING)
    assert not rules_in_force([], Rules())


def test_what_is_denied_counts_more_than_what_is_asked_and_that_more_than_what_is_allowed() -> None:
    rules = Rules(allow=("git *", "ls"), ask=("git push*", "ls"), deny=("git push*",))
    permissions = rules.permissions()
    assert next(iter(permissions)) == "*"  # last, it would undo all the others
    bash = permissions["bash"]
    assert isinstance(bash, Mapping)
    assert list(bash.items()) == [
        ("*", "deny"),
        ("git *", "allow"),
        ("ls", "ask"),
        ("git push*", "deny"),
    ]
    assert "bash" not in Rules().permissions()


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ((), None),
        (("git.commit:**", "opencode.command:ls"), None),
        (("opencode.run",), Rules(deny=("sudo *",))),
        (("opencode.read",), Rules(read_only=True, deny=("sudo *",))),
        (
            (
                "opencode.run",
                "opencode.command:git *",
                "opencode.command.ask:git push *",
                "opencode.command.deny:rm *",
            ),
            Rules(allow=("git *",), ask=("git push *",), deny=("rm *", "sudo *")),
        ),
    ],
)
def test_capabilities_become_rules(capabilities: tuple[str, ...], expected: Rules | None) -> None:
    assert rules_of(capabilities, SandboxSettings(commands_deny=("sudo *",))) == expected


def test_the_environment_carries_the_rules() -> None:
    variables = environment({"model": "m"}, Rules(read_only=True), password="p")
    config = json.loads(variables["OPENCODE_CONFIG_CONTENT"])
    assert config["permission"]["edit"] == "deny"
    assert config["model"] == "m"
    assert variables["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
