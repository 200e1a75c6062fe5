"""`growqr capabilities`: what one person's agent may do."""

from collections.abc import Sequence

from growqr.agents.backing import MAY_CALL
from growqr.agents.repo_operations import MAY_BRANCH, MAY_PROPOSE
from growqr.db.registry import list_actors
from growqr.errors import InvalidInput, NotFound
from growqr.git.capabilities import COMMIT, SETTLE
from growqr.opencode.rules import COMMANDS, READ, RUN
from growqr.operations.stores import open_stores
from growqr.settings import Settings

KNOWN = {
    COMMIT: "PATH PATTERN",
    MAY_BRANCH: "",
    MAY_PROPOSE: "",
    SETTLE: "",
    RUN: "",
    READ: "",
    **dict.fromkeys(COMMANDS, "COMMAND PATTERN"),
    MAY_CALL: "SERVICE",
}
"""Every capability that anything in the platform asks for, and what has to follow it."""


class CapabilityUnknown(InvalidInput):
    """Nothing in the platform asks for this word, so holding it would mean nothing."""

    code = "capability_unknown"


async def change_capabilities(
    settings: Settings, wanted: str, agent: str, *, add: Sequence[str], remove: Sequence[str]
) -> list[str]:
    """Change what an agent may do, both lists at once; returns what it may do now.

    The agent reads it at its next start. Removing what it does not hold changes nothing; of a
    word both added and removed, the removal counts.

    Raises CapabilityUnknown, and NotFound for an unknown account or agent.
    """
    for capability in add:
        _check(capability)
    async with open_stores(settings) as stores:
        user = await stores.user(wanted)
        async with stores.db.session() as session:
            actors = {row.name: row for row in await list_actors(session, user.id)}
            row = actors.get(agent)
            if row is None:
                known = ", ".join(actors) or "none yet"
                raise NotFound(f"`{wanted}` has no agent `{agent}`; there are: {known}.")
            held = dict.fromkeys(filter(None, [*row.capabilities.splitlines(), *add]))
            now = [capability for capability in held if capability not in set(remove)]
            row.capabilities = "\n".join(now)
    return now


def _check(capability: str) -> None:
    word, colon, rest = capability.partition(":")
    if f"{word}{colon}" in KNOWN and bool(colon) == bool(rest.strip()) and rest.isprintable():
        return
    known = "\n".join(f"  {name}{follows}" for name, follows in KNOWN.items())
    raise CapabilityUnknown(f"There is no capability `{capability}`. There are:\n{known}")
