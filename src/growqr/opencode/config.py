"""OpenCode's configuration: what we set, and the check that the server took it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from growqr.opencode.rules import Rules
from growqr.opencode.sandbox import WORKSPACE

_DISABLED = (
    "AUTOUPDATE",
    "MODELS_FETCH",
    "LSP_DOWNLOAD",
    "PROJECT_CONFIG",  # a workspace's opencode.json could undo every permission
    "EXTERNAL_SKILLS",
    "CLAUDE_CODE",
    "DEFAULT_PLUGINS",
    "SHARE",
)


def environment(provider: Mapping[str, Any], rules: Rules, *, password: str) -> dict[str, str]:
    """Return OpenCode's environment; `provider` is `Gateway.opencode_config()`.

    Everything inside the sandbox can read it. The password only keeps other programs of the
    same sandbox from calling by mistake; it opens nothing outside.
    """
    config = {
        **provider,
        "autoupdate": False,
        "share": "disabled",
        "snapshot": False,
        "shell": "/opt/sh/bash",
        "permission": rules.permissions(),
        # project configuration is off, and with it AGENTS.md, which is only advice
        "instructions": [f"{WORKSPACE}/AGENTS.md"],
    }
    return {
        **{f"OPENCODE_DISABLE_{name}": "1" for name in _DISABLED},
        "OPENCODE_SERVER_PASSWORD": password,
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
    }


def rules_in_force(agents: Sequence[Mapping[str, Any]], rules: Rules) -> bool:
    """Tell whether every agent of OpenCode follows our rules; an unknown key is ignored silently.

    Ours must come last, because the last rule that matches wins.
    """
    wanted: list[tuple[str, str, str]] = []
    for name, action in rules.permissions().items():
        patterns = {"*": action} if isinstance(action, str) else action
        wanted += [(name, pattern, what) for pattern, what in patterns.items()]
    return any(agent.get("name") == "build" for agent in agents) and all(
        _in_force(agent)[-len(wanted) :] == wanted for agent in agents
    )


def _in_force(agent: Mapping[str, Any]) -> list[tuple[Any, Any, Any]]:
    return [
        (rule.get("permission"), rule.get("pattern"), rule.get("action"))
        for rule in agent.get("permission") or ()
        # OpenCode adds its own folder of long outputs after everybody's rules
        if isinstance(rule, Mapping) and rule.get("permission") != "external_directory"
    ]
