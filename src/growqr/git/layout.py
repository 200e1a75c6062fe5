"""How a new repository looks, and which folders of a life repository mean what."""

from growqr.git.forge import Change, RepoRef

PRIMARY_NAME = "grow"
"""Name of every user's life repository."""

FOLDERS = {
    "goals": "one file per goal: why, until when, how it stands",
    "memory": "what the agent remembers",
    "plans": "plans made together",
    "decisions": "what was decided, and why",
    "tasks": "one record per finished task",
    "quests": "progress of quests, one file per run",
    "agents": "what sub-agents made, one folder each",
    "state": "a snapshot of the agent, written by the platform",
}
"""Top folders of a life repository."""

PROFILE = "profile.md"

SNAPSHOT = "state/snapshot.json"
"""The platform's own file: what it says is of the present, so no revert touches it."""

_README = """# Your Grow repository

This is your agent's memory, and it is yours: clone it, read it, edit it, push it back.

| path | what is in it |
| --- | --- |
| `profile.md` | who you are and what matters to you |
{rows}

Every change your agent makes is one commit. Its trailers say who wrote it (`Actor:`), why
(`Kind:`), for which task (`Task:`) and because of which message (`Message:`):

    git log --format='%h %s%n%(trailers)'
"""

_PROFILE = """---
kind: profile
---

# Profile

Nothing is known about you yet. Write it here, or tell your agent.
"""


def first_files(repo: RepoRef) -> list[Change]:
    """The content of a repository's first commit."""
    if repo.name != PRIMARY_NAME:
        return [Change("README.md", f"# {repo.name}\n".encode())]
    rows = "\n".join(f"| `{name}/` | {meaning} |" for name, meaning in FOLDERS.items())
    return [
        Change("README.md", _README.format(rows=rows).encode()),
        Change(PROFILE, _PROFILE.encode()),
    ]
