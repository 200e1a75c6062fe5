"""The rules for branch names and refs that come from outside."""

import re

import pygit2

from growqr.errors import InvalidInput

MAX_BRANCH_CHARS = 200
_SHA = re.compile(r"[0-9a-f]{40}\Z")


class RefInvalid(InvalidInput):
    """Neither a branch name that Git allows nor a full SHA."""

    code = "ref_invalid"
    title = "The ref is not valid"


def is_sha(ref: str) -> bool:
    """Whether it is a full SHA-1 in lower case."""
    return bool(_SHA.match(ref))


def check_branch(name: str) -> str:
    """Return `name` if it may name a branch: Git's own rule, and neither an option nor a SHA.

    Raises:
        RefInvalid: with the reason in words.
    """
    well_formed = 0 < len(name) <= MAX_BRANCH_CHARS and name.isprintable()
    confusing = name.startswith(("-", "refs/")) or name in ("HEAD", "@") or is_sha(name.lower())
    if not well_formed or confusing or not _git_allows(name):
        raise RefInvalid(f"`{ascii(name[:200])[1:-1]}` can't be the name of a branch")
    return name


def check_ref(ref: str) -> str:
    """Return `ref` if it is a branch name or a full SHA; raises RefInvalid."""
    return ref if is_sha(ref) else check_branch(ref)


def rescue_ref(what: str, sha: str) -> str:
    """The ref that keeps a commit which no branch leads to any more; `what` says whose it was."""
    return f"refs/rescue/{what}/{sha[:16]}"


def _git_allows(name: str) -> bool:
    try:
        return bool(pygit2.reference_is_valid_name(f"refs/heads/{name}"))
    except UnicodeEncodeError:
        return False
