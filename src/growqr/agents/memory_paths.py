"""Where memories are kept."""

import re

from growqr.git.layout import FOLDERS, PROFILE
from growqr.git.paths import check_path


def normalise(path: str) -> str:
    """Where a memory of this name is kept: `tea` → `memory/tea.md`, `goals/x` → `goals/x.md`.

    Raises PathInvalid.
    """
    names = [re.sub(r"\s+", "-", name.strip()) for name in path.split("/")]
    names = [name for name in names if name and name != "."]
    if names == ["profile"] or names == [PROFILE]:
        return PROFILE
    if names and (len(names) == 1 or names[0] not in FOLDERS):
        names = ["memory", *names]
    name = "/".join(names)
    return check_path(name if not name or name.endswith(".md") else f"{name}.md")
