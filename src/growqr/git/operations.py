"""Which operations a branch has seen, so that a repeated write happens once."""

from collections import OrderedDict
from itertools import islice
from threading import Lock

import pygit2
from pygit2.enums import SortMode

HISTORY = 200
"""Commits back from the head in which an operation is found again."""
_BRANCHES = 512


class Operations:
    """Finds commits by their `Operation:` trailer.

    Git holds the truth; what is kept here only saves reading the same commits again. Callers
    hold the repository's lock.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], tuple[pygit2.Oid, dict[str, pygit2.Oid]]]
        self._seen = OrderedDict()
        self._lock = Lock()

    def find(
        self, repo: pygit2.Repository, branch: str, head: pygit2.Oid, operation: str
    ) -> pygit2.Oid | None:
        """The commit that did `operation`, if it is among the last commits of the branch."""
        with self._lock:
            known = self._seen.get((repo.path, branch))
        if known is not None and known[0] == head:
            return known[1].get(operation)
        return self._read(repo, branch, head, known).get(operation)

    def add(
        self,
        repo: pygit2.Repository,
        branch: str,
        *,
        old: pygit2.Oid,
        new: pygit2.Oid,
        operation: str | None,
    ) -> None:
        """Note that the branch went from `old` to our own commit `new`."""
        with self._lock:
            known = self._seen.get((repo.path, branch))
            if known is None or known[0] != old:
                return  # the next search reads what is missing
            found = known[1]
            if operation is not None:
                found[operation] = new
            while len(found) > HISTORY:
                del found[next(iter(found))]
            self._seen[repo.path, branch] = (new, found)

    def _read(
        self,
        repo: pygit2.Repository,
        branch: str,
        head: pygit2.Oid,
        known: tuple[pygit2.Oid, dict[str, pygit2.Oid]] | None,
    ) -> dict[str, pygit2.Oid]:
        walker = repo.walk(head, SortMode.NONE)
        found: dict[str, pygit2.Oid] = {}
        if known is not None and _descends(repo, head, known[0]):
            walker.hide(known[0])
            found.update(known[1])
        for commit in reversed(list(islice(walker, HISTORY))):
            operation = _operation(commit)
            if operation:
                found[operation] = commit.id
        with self._lock:
            self._seen[repo.path, branch] = (head, found)
            self._seen.move_to_end((repo.path, branch))
            while len(self._seen) > _BRANCHES:
                self._seen.popitem(last=False)
        return found


def _descends(repo: pygit2.Repository, head: pygit2.Oid, earlier: pygit2.Oid) -> bool:
    try:
        return repo.descendant_of(head, earlier)
    except (pygit2.GitError, KeyError):  # a deleted repository, made again
        return False


def _operation(commit: pygit2.Commit) -> str | None:
    try:
        return commit.message_trailers.get("Operation")
    except UnicodeDecodeError:
        return None
