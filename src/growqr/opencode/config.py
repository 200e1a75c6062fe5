"""OpenCode's configuration: what we set, and the check that the server took it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from growqr.opencode.sandbox import WORKSPACE

# The last matching rule wins, so `*` comes first. Rules steer the model; the sandbox is the
# boundary. Asking is never an answer here: nobody watches the server's questions.
_PERMISSIONS = {"*": "allow", "webfetch": "deny", "websearch": "deny"}
_READ_ONLY = {**_PERMISSIONS, "edit": "deny"}

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


def permissions(*, read_only: bool) -> Mapping[str, str]:
    """Return the rules, in the order in which they count."""
    return _READ_ONLY if read_only else _PERMISSIONS


def environment(provider: Mapping[str, Any], *, read_only: bool, password: str) -> dict[str, str]:
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
        "permission": permissions(read_only=read_only),
        # project configuration is off, and with it AGENTS.md, which is only advice
        "instructions": [f"{WORKSPACE}/AGENTS.md"],
    }
    return {
        **{f"OPENCODE_DISABLE_{name}": "1" for name in _DISABLED},
        "OPENCODE_SERVER_PASSWORD": password,
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
    }


def rules_in_force(agents: Sequence[Mapping[str, Any]], *, read_only: bool) -> bool:
    """Tell whether the coding agent follows our rules; an unknown key is ignored silently."""
    wanted = [(name, "*", action) for name, action in permissions(read_only=read_only).items()]
    for agent in agents:
        if agent.get("name") != "build":
            continue
        found = [
            (rule.get("permission"), rule.get("pattern"), rule.get("action"))
            for rule in agent.get("permission") or ()
            # OpenCode adds its own folder of long outputs after everybody's rules
            if isinstance(rule, Mapping) and rule.get("permission") != "external_directory"
        ]
        return found[-len(wanted) :] == wanted
    return False
