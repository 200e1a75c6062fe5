"""What the Grow Agent remembers: files, search, history, and undoing one change."""

import hashlib
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from growqr.agents.memory_index import Document, Hit
from growqr.agents.memory_past import moment
from growqr.api.deps import CurrentUser, ServicesDep
from growqr.api.git_models import CommitOut, Sha
from growqr.api.idempotency import IdempotencyHeader, IdempotentRoute
from growqr.api.pagination import Cursor, Limit, Page, decode_text, encode_cursor, slice_of
from growqr.api.routes.git import author_of
from growqr.git.forge import RepoRef
from growqr.git.layout import PRIMARY_NAME
from growqr.git.repos import ref_of
from growqr.ids import new_id

router = APIRouter(prefix="/memory", tags=["memory"], route_class=IdempotentRoute)


class MemoryFileOut(BaseModel):
    """A Markdown file of the life repository; `size` in bytes."""

    path: str = Field(examples=["memory/tea.md"])
    title: str = Field(examples=["Tea"])
    size: int
    created: str | None = Field(None, examples=["2026-01-31T08:00:00+00:00"])
    updated: str | None = None
    reason: str | None = Field(None, description="Why it was written.")
    source: str | None = Field(None, description="The message that caused it.")

    @classmethod
    def of(cls, document: Document) -> "MemoryFileOut":
        return cls(
            path=document.path,
            title=document.title,
            size=document.size,
            created=_text(document, "created"),
            updated=_text(document, "updated"),
            reason=_text(document, "reason"),
            source=_text(document, "source"),
        )


class MemoryContentOut(MemoryFileOut):
    """A file with its text, without the front matter."""

    content: str = Field(examples=["# Tea\n\nGreen, no sugar.\n"])


class HitOut(BaseModel):
    """A file that matches; the first is the best."""

    model_config = ConfigDict(from_attributes=True)

    path: str = Field(examples=["memory/tea.md"])
    title: str
    snippet: str = Field(examples=["…likes green tea in the morning…"])
    score: float

    @classmethod
    def of(cls, hit: Hit) -> "HitOut":
        return cls.model_validate(hit)


class RemainsOut(BaseModel):
    """What history holds of one path; `last` is the newest commit that has it."""

    model_config = ConfigDict(from_attributes=True)

    path: str = Field(examples=["memory/tea.md"])
    versions: int = Field(description="How many commits hold it; at most 200 are counted.")
    last: str | None
    at: datetime | None


class RevertIn(BaseModel):
    """The commit to undo."""

    sha: Sha


async def _life_repo(user: CurrentUser, services: ServicesDep) -> RepoRef:
    return ref_of(await services.repos.by_name(user.user_id, PRIMARY_NAME))


LifeRepo = Annotated[RepoRef, Depends(_life_repo)]
At = Annotated[
    str | None,
    Query(
        max_length=40,
        description="As it was then: a date (its end, UTC) or a date and time.",
        examples=["2026-01-31"],
    ),
]


@router.get("")
async def list_memory(
    repo: LifeRepo,
    services: ServicesDep,
    cursor: Cursor = None,
    limit: Limit = 200,
    at: At = None,
) -> Page[MemoryFileOut]:
    """Markdown files, by path."""
    files = await services.memory.files(repo, moment(at) if at else None)
    part, more = slice_of(files, cursor, limit)
    return Page(items=[MemoryFileOut.of(document) for document in part], next_cursor=more)


@router.get("/file")
async def get_memory_file(
    repo: LifeRepo,
    services: ServicesDep,
    path: Annotated[str, Query(examples=["memory/tea.md"])],
    at: At = None,
) -> MemoryContentOut:
    """One file with its text."""
    document = await services.memory.read(repo, path, moment(at) if at else None)
    file = MemoryFileOut.of(document)
    return MemoryContentOut(**file.model_dump(), content=document.body)


@router.get("/search")
async def search_memory(
    repo: LifeRepo,
    services: ServicesDep,
    q: Annotated[str, Query(min_length=1, max_length=500, examples=["tea"])],
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    at: At = None,
) -> Page[HitOut]:
    """Full-text search, best match first, on one page."""
    hits = await services.memory.search(repo, q, limit, moment(at) if at else None)
    return Page(items=[HitOut.of(hit) for hit in hits], next_cursor=None)


@router.get("/remains")
async def remains_of_memory(
    repo: LifeRepo,
    services: ServicesDep,
    path: Annotated[str, Query(examples=["memory/tea.md"])],
) -> RemainsOut:
    """What Git's history still holds of a file, also after it was forgotten."""
    return RemainsOut.model_validate(await services.memory.remains(repo, path))


@router.get("/history")
async def list_memory_history(
    repo: LifeRepo,
    services: ServicesDep,
    path: Annotated[str | None, Query(description="Only commits that changed this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CommitOut]:
    """Commits, newest first."""
    commits = await services.memory.history(repo, path, limit=limit + 1, after=decode_text(cursor))
    more = commits[limit - 1].sha if len(commits) > limit else None
    items = [CommitOut.of(commit) for commit in commits[:limit]]
    return Page(items=items, next_cursor=encode_cursor(more))


@router.post("/revert", status_code=201)
async def revert_memory(
    repo: LifeRepo,
    body: RevertIn,
    user: CurrentUser,
    services: ServicesDep,
    key: IdempotencyHeader = None,
) -> CommitOut:
    """Undo one commit by a new one; 409 with the `paths` when later ones changed the same."""
    text = f"{user.user_id}\n{key}\n{body.sha}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    operation = f"api:{digest}" if key else new_id("op")
    commit = await services.memory.revert(repo, author_of(user), body.sha, operation)
    return CommitOut.of(commit)


def _text(document: Document, key: str) -> str | None:
    # People write front matter as they like: what is not text is left out.
    value = document.meta.get(key)
    return value[:500] if isinstance(value, str) else None
