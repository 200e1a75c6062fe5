"""What OpenCode's model may do without asking, after asking, and not at all.

These rules steer an honest model: OpenCode sees the words of a command, and other words can do
the same. What counts is the sandbox, in which every command runs, and its read-only mount.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from growqr.settings import SandboxSettings

Action = Literal["allow", "ask", "deny"]
Permissions = Mapping[str, Action | Mapping[str, Action]]
"""OpenCode's own form: by tool, maybe by pattern; the last rule that matches wins."""

RUN = "opencode.run"
"""The capability to work in the workspace."""
READ = "opencode.read"
"""The capability to look at the workspace and to run commands in it, with read-only files."""
COMMANDS: Mapping[str, Action] = {
    "opencode.command:": "allow",
    "opencode.command.ask:": "ask",
    "opencode.command.deny:": "deny",
}


@dataclass(frozen=True)
class Rules:
    """Commands are matched against patterns in which `*` stands for anything.

    `deny` beats `ask`, and `ask` beats `allow`. With any `allow`, what matches nothing is denied.
    """

    read_only: bool = False
    """The files can be read inside, not changed."""
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def permissions(self) -> Permissions:
        """Return the rules in OpenCode's form, in the order in which they count."""
        rules: dict[str, Action | Mapping[str, Action]] = {
            "*": "allow",
            "webfetch": "deny",  # there is no network
            "websearch": "deny",
        }
        if self.read_only:
            rules["edit"] = "deny"
        if commands := self._commands():
            rules["bash"] = commands
        return rules

    def _commands(self) -> dict[str, Action]:
        rules: dict[str, Action] = {"*": "deny"} if self.allow else {}
        by_action: Mapping[Action, tuple[str, ...]] = {
            "allow": self.allow,
            "ask": self.ask,
            "deny": self.deny,
        }
        for action, patterns in by_action.items():
            for pattern in patterns:
                rules.pop(pattern, None)  # a place further down counts more
                rules[pattern] = action
        return rules


def rules_of(capabilities: Iterable[str], settings: SandboxSettings) -> Rules | None:
    """Return the rules for an agent; None: it may not use OpenCode at all.

    What the settings ask and deny holds for every agent. A list of allowed commands of its own
    counts instead of the settings' one.
    """
    held = set(capabilities)
    if not held & {RUN, READ}:
        return None
    own: dict[Action, set[str]] = {"allow": set(), "ask": set(), "deny": set()}
    for capability in held:
        for prefix, action in COMMANDS.items():
            if capability.startswith(prefix):
                own[action].add(capability.removeprefix(prefix))
    return Rules(
        read_only=RUN not in held,
        allow=tuple(sorted(own["allow"] or settings.commands_allow)),
        ask=tuple(sorted(own["ask"].union(settings.commands_ask))),
        deny=tuple(sorted(own["deny"].union(settings.commands_deny))),
    )
