"""Telling by whom each commit of a repository was really made."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pygit2
from pygit2.enums import RepositoryOpenFlag, SortMode

from growqr.git.forge import PLATFORM
from growqr.git.pushes import Pushed
from growqr.git.signing import KnownSigner, SignatureBroken, address_of, signer_of

Verdict = Literal["signed", "pushed", "unvouched", "unsigned", "forged", "unknown_key", "foreign"]
"""
signed       by the actor, or through the API the user, that it names
pushed       by a person with Git; it names none of ours, and came with a token of the owner's
unvouched    names none of ours, and nothing says who brought it
unsigned     names an actor, but bears no signature
forged       the signature is not of this commit, or of another actor than it names
unknown_key  validly signed with a key that this installation has never seen
foreign      validly signed by an actor that is not one of this repository's owner
"""
GOOD: frozenset[Verdict] = frozenset({"signed", "pushed"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One commit that was not made by whom it names."""

    sha: str
    subject: str
    named: str
    verdict: Verdict


@dataclass
class Report:
    """What all branches of a repository hold."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    """The commits that are not good, newest first, at most `most`."""
    pushed_by: Counter[str] = field(default_factory=Counter)
    """How many of the pushed ones each user's pushes brought, by user id."""

    @property
    def good(self) -> bool:
        return all(verdict in GOOD for verdict in self.counts)


def verify_repository(
    path: Path,
    signers: Iterable[KnownSigner],
    *,
    ours: Collection[str] | None = None,
    pushes: Iterable[Pushed] = (),
    most: int = 100,
) -> Report:
    """Check every commit of every branch. Blocks; 0.1 to 0.2 ms a commit.

    `ours` are the ids that may have written here (None: any we know the key of).
    """
    keys = _by_author(signers)
    report = Report()
    git = pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH)
    brought = _brought(git, pushes)
    for commit in _commits(git):
        named, verdict = judge(commit, keys, ours)
        if verdict == "unvouched" and commit.id in brought:
            verdict = "pushed"
            report.pushed_by[brought[commit.id]] += 1
        report.counts[verdict] += 1
        if verdict not in GOOD and len(report.findings) < most:
            subject = commit.raw_message.decode(errors="replace").partition("\n")[0]
            report.findings.append(Finding(str(commit.id), subject[:120], named, verdict))
    return report


def verdict_of(path: Path, sha: str, signers: Iterable[KnownSigner]) -> tuple[str, Verdict]:
    """Return whom one commit names, and whether it is theirs. Blocks."""
    commit = pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH)[sha]
    assert isinstance(commit, pygit2.Commit)
    return judge(commit, _by_author(signers), None)


def judge(
    commit: pygit2.Commit, keys: dict[str, set[str]], ours: Collection[str] | None
) -> tuple[str, Verdict]:
    """Return whom the commit names, and whether it is theirs; who pushed it plays no part."""
    email = commit.author.raw_email.decode(errors="replace")
    named = _trailer(commit) or email.removesuffix(address_of(""))
    if named == email:
        return email, "unvouched"
    armored, payload = commit.gpg_signature
    if armored is None or payload is None:
        return named, "unsigned"
    try:
        key = signer_of(armored, payload)
    except SignatureBroken:
        return named, "forged"
    if email != address_of(named):
        return named, "forged"
    if key not in keys.get(named, ()):
        owned = any(key in known for known in keys.values())
        return named, "forged" if owned or named in keys else "unknown_key"
    if ours is not None and named not in ours and named != PLATFORM.id:
        return named, "foreign"
    return named, "signed"


def _by_author(signers: Iterable[KnownSigner]) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for signer in signers:
        keys.setdefault(signer.author_id, set()).add(signer.public_key)
    return keys


def _brought(repo: pygit2.Repository, pushes: Iterable[Pushed]) -> dict[pygit2.Oid, str]:
    """Whose push brought each commit."""
    brought: dict[pygit2.Oid, str] = {}
    for push in pushes:
        walker = repo.walk(None, SortMode.NONE)
        for head in _there(repo, push.heads):
            walker.push(head)
        for head in _there(repo, push.known):
            walker.hide(head)
        for commit in walker:
            brought.setdefault(commit.id, push.user_id)
    return brought


def _there(repo: pygit2.Repository, shas: Iterable[str]) -> list[pygit2.Oid]:
    """Those that are commits of the repository: a push may have been refused."""
    held = {sha: repo.get(sha) for sha in shas}
    return [pygit2.Oid(hex=sha) for sha, it in held.items() if isinstance(it, pygit2.Commit)]


def _commits(repo: pygit2.Repository) -> Iterator[pygit2.Commit]:
    walker = repo.walk(None, SortMode.TIME)
    for name in repo.references:
        if name.startswith("refs/heads/"):
            walker.push(repo.references[name].peel(pygit2.Commit).id)
    yield from walker


def _trailer(commit: pygit2.Commit) -> str | None:
    try:
        return commit.message_trailers.get("Actor")
    except UnicodeDecodeError:
        return None
