"""Which paths a capability lets its holder write.

`git.settle`: to carry out what the user decided about a conflict, wherever it is.

`git.commit:PATTERN`, where `*` stands for any part of one name and `**` for any number of
names: `git.commit:agents/coding/**`, `git.commit:goals/*.md`, `git.commit:**`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from growqr.errors import Forbidden

WRITE_ANYTHING = "git.commit:**"
SETTLE = "git.settle"
COMMIT = "git.commit:"


class PathForbidden(Forbidden):
    """The writer has no capability for this path."""

    code = "path_forbidden"
    title = "Not allowed to write there"


def check_may_write(who: str, capabilities: Iterable[str], paths: Iterable[str]) -> None:
    """Raise PathForbidden for the first of `paths` that no capability covers."""
    patterns = [
        _compiled(capability.removeprefix(COMMIT))
        for capability in capabilities
        if capability.startswith(COMMIT)
    ]
    for path in paths:
        if not any(pattern.fullmatch(path) for pattern in patterns):
            raise PathForbidden(f"`{who}` may not write `{path}`", path=path)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts))
