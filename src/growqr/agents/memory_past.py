"""What the repository's history says: how it was on a day, and what is left of a file."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from growqr.errors import InvalidInput, NotFound
from growqr.git.forge import BlobNotFound, CommitInfo, Forge, RepoRef

MAX_VERSIONS = 200
_COMMITS_AT_ONCE = 500


class MomentInvalid(InvalidInput):
    """Not a date or time."""

    code = "moment_invalid"


class TooEarly(NotFound):
    """The repository's first commit is later than that."""

    code = "too_early"


@dataclass(frozen=True, slots=True)
class Remains:
    """What history holds of one path; `last` is the newest commit with it, None: nothing."""

    path: str
    versions: int
    """At most MAX_VERSIONS are counted."""
    last: str | None
    at: datetime | None


def moment(text: str) -> datetime:
    """The time that a text means; a date alone means the end of that day. Raises MomentInvalid."""
    try:
        if len(text) <= len("2026-01-31"):
            day = date.fromisoformat(text)
            return datetime.combine(day, time.max, tzinfo=UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise MomentInvalid("`at` is a date such as 2026-01-31, or a date and time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def commit_at(forge: Forge, repo: RepoRef, when: datetime) -> CommitInfo:
    """The last commit of `main` up to a point in time. Raises TooEarly."""
    after: str | None = None
    while commits := await forge.commits(repo, limit=_COMMITS_AT_ONCE, after=after):
        found = next((commit for commit in commits if commit.at <= when), None)
        if found is not None:
            return found
        after = commits[-1].sha
    raise TooEarly(f"nothing was remembered yet on {when.date().isoformat()}")


async def remains(forge: Forge, repo: RepoRef, path: str) -> Remains:
    """What history holds of a file, whether it is there now or not."""
    versions = []
    for commit in await forge.commits(repo, path=path, limit=MAX_VERSIONS):
        try:
            await forge.blob(repo, path, ref=commit.sha)
        except BlobNotFound:
            continue  # a commit that removed it
        versions.append(commit)
    last = versions[0] if versions else None
    return Remains(path, len(versions), last.sha if last else None, last.at if last else None)
