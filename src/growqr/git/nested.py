"""Finds repositories that hide among the files of another one.

Git takes a folder for a repository if it holds `HEAD`, `objects/` and `refs/`, or `HEAD` and a
`commondir` that says where the rest is (`is_git_directory` in git's setup.c). Whoever runs git
in such a folder of a clone obeys its configuration, which can name programs to run. Git itself
refuses that only with `safe.bareRepository=explicit`, which is not its default.
"""

from collections import defaultdict
from collections.abc import Iterable

from growqr.git.paths import spellings

_OWN = frozenset(
    {
        *("head", "commondir", "objects", "refs", "packed-refs", "logs", "index"),
        *("config", "config.worktree", "hooks", "info", "modules", "worktrees"),
    }
)
"""What Git reads of a repository."""


def parts_of_repositories(paths: Iterable[str]) -> frozenset[str]:
    """Return the files and folders, as paths, that would be Git's own in a clone of `paths`.

    A folder with all of a repository's files is none without these, whatever else it holds.
    """
    entries: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        folder = ""
        for name in path.split("/"):
            entries[folder].add(name)
            folder += f"{name}/"
    found: set[str] = set()
    for folder, names in entries.items():
        read_as = {name: spellings(name) for name in names}
        all_names = frozenset().union(*read_as.values())
        if "head" in all_names and ({"objects", "refs"} <= all_names or "commondir" in all_names):
            found |= {folder + name for name in names if read_as[name] & _OWN}
    return frozenset(found)
