"""Repositories: read them, commit, branch, propose and merge, and hand out tokens."""

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from growqr.api.deps import CurrentUser, Id, OwnedRepo, ServicesDep
from growqr.api.git_models import (
    BlobOut,
    BranchIn,
    BranchOut,
    CommitIn,
    CommitOut,
    CommitStatusesOut,
    DeployKeyIn,
    DeployKeyOut,
    DiffOut,
    MessageIn,
    ProjectIn,
    PullRequestIn,
    PullRequestOut,
    PullRequestStateOut,
    RepoOut,
    Sha,
    TokenIn,
    TokenInfoOut,
    TokenOut,
    TreeEntryOut,
)
from growqr.api.idempotency import IdempotencyHeader, IdempotentRoute
from growqr.api.pagination import (
    Cursor,
    Limit,
    Page,
    decode_number,
    decode_text,
    encode_cursor,
    slice_of,
)
from growqr.api.services import Services
from growqr.db.tables import Repo
from growqr.errors import NotFound
from growqr.git.capabilities import WRITE_ANYTHING
from growqr.git.forge import Author
from growqr.git.repos import ref_of
from growqr.identity.principal import Principal
from growqr.ids import new_id

router = APIRouter(prefix="/git", tags=["git"], route_class=IdempotentRoute)

Ref = Annotated[str, Query(description="A branch or a full SHA.", examples=["main"])]
FilePath = Annotated[str, Query(description="Relative, with `/`.", examples=["memory/tea.md"])]


PullRequestNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


def author_of(user: Principal) -> Author:
    """The user as an author: everything in one's own repositories is one's to write."""
    return Author(user.user_id, user.name, frozenset({WRITE_ANYTHING}))


@router.post("/users/{user_id}/repo")
async def ensure_user_repo(
    user_id: Id, user: CurrentUser, services: ServicesDep, key: IdempotencyHeader = None
) -> RepoOut:
    """The user's life repository, made if need be; safe to repeat and to race."""
    if user_id != user.user_id:
        raise NotFound("There is no such thing, or it is not yours.")
    return await _repo(services, await services.repos.ensure_primary(user_id))


@router.get("/repos")
async def list_repos(
    user: CurrentUser, services: ServicesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[RepoOut]:
    """The user's repositories, oldest first."""
    rows = await services.repos.list(user.user_id, limit=limit + 1, after=decode_text(cursor))
    more = rows[limit - 1].id if len(rows) > limit else None
    items = await asyncio.gather(*(_repo(services, row) for row in rows[:limit]))
    return Page(items=list(items), next_cursor=encode_cursor(more))


@router.post("/repos", status_code=201)
async def create_repo(
    body: ProjectIn, user: CurrentUser, services: ServicesDep, key: IdempotencyHeader = None
) -> RepoOut:
    """A new project repository; 409 when the name is taken."""
    row = await services.repos.create_project(user.user_id, body.name, body.description)
    return await _repo(services, row)


@router.get("/repos/{repo_id}")
async def get_repo(repo: OwnedRepo, services: ServicesDep) -> RepoOut:
    """One of the user's repositories."""
    return await _repo(services, repo)


@router.post("/repos/{repo_id}/commit", status_code=201)
async def create_commit(
    repo: OwnedRepo,
    body: CommitIn,
    user: CurrentUser,
    services: ServicesDep,
    key: IdempotencyHeader = None,
) -> CommitOut:
    """One commit by the user; 409 with the current head when `expected_head` is not it.

    With `base`, what was written since is merged: 409 with the `paths` that both sides changed.
    """
    message = body.message or _message(body.subject or "")
    commit = await services.commits.commit(
        ref_of(repo),
        actor=author_of(user),
        kind=message.kind,
        scope=message.scope,
        what=message.what,
        changes=[change.to_change() for change in body.changes],
        operation=_operation(user, key, body.model_dump_json()),
        branch=body.branch,
        expected_head=body.expected_head,
        base=body.base,
    )
    return CommitOut.of(commit)


@router.get("/repos/{repo_id}/tree")
async def list_tree(
    repo: OwnedRepo,
    services: ServicesDep,
    ref: Ref = "main",
    path: FilePath = "",
    recursive: bool = False,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Page[TreeEntryOut]:
    """What is in a folder, by path; with `recursive` all files below it."""
    entries = await services.forge.tree(ref_of(repo), ref=ref, path=path, recursive=recursive)
    part, more = slice_of(entries, cursor, limit)
    return Page(items=[TreeEntryOut.of(entry) for entry in part], next_cursor=more)


@router.get("/repos/{repo_id}/blob")
async def get_blob(
    repo: OwnedRepo, services: ServicesDep, path: FilePath, ref: Ref = "main"
) -> BlobOut:
    """A file's content."""
    return BlobOut.of(path, ref, await services.forge.blob(ref_of(repo), path, ref=ref))


@router.get("/repos/{repo_id}/commits")
async def list_commits(
    repo: OwnedRepo,
    services: ServicesDep,
    ref: Ref = "main",
    path: Annotated[str | None, Query(description="Only commits that changed this.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CommitOut]:
    """History, newest first."""
    commits = await services.forge.commits(
        ref_of(repo), ref=ref, path=path, limit=limit + 1, after=decode_text(cursor)
    )
    more = commits[limit - 1].sha if len(commits) > limit else None
    items = [CommitOut.of(commit) for commit in commits[:limit]]
    return Page(items=items, next_cursor=encode_cursor(more))


@router.get("/repos/{repo_id}/commits/{sha}/status")
async def get_commit_status(
    repo: OwnedRepo, sha: Annotated[Sha, Path()], services: ServicesDep
) -> CommitStatusesOut:
    """What is said of a commit: of a coding task's, whether the commands that it ran succeeded."""
    return CommitStatusesOut.of(await services.forge.statuses(ref_of(repo), sha))


@router.get("/repos/{repo_id}/diff")
async def get_diff(
    repo: OwnedRepo, services: ServicesDep, head: Ref, base: Ref = "main"
) -> DiffOut:
    """What `head` adds since it left `base`, as a pull request shows it."""
    return DiffOut.of(await services.forge.diff(ref_of(repo), base, head))


@router.get("/repos/{repo_id}/branches")
async def list_branches(
    repo: OwnedRepo, services: ServicesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[BranchOut]:
    """Branches by name."""
    branches = await services.forge.branches(ref_of(repo))
    part, more = slice_of(branches, cursor, limit)
    return Page(items=[BranchOut.of(branch) for branch in part], next_cursor=more)


@router.post("/repos/{repo_id}/branch", status_code=201)
async def create_branch(
    repo: OwnedRepo, body: BranchIn, services: ServicesDep, key: IdempotencyHeader = None
) -> BranchOut:
    """A new branch; 409 when it exists and points elsewhere."""
    return BranchOut.of(await services.forge.create_branch(ref_of(repo), body.name, at=body.at))


@router.post("/repos/{repo_id}/pull-request", status_code=201)
async def open_pull_request(
    repo: OwnedRepo, body: PullRequestIn, services: ServicesDep, key: IdempotencyHeader = None
) -> PullRequestOut:
    """Propose a merge; the open pull request of the same branches is returned if there is one."""
    row = await services.repos.pull_requests.open(
        ref_of(repo), branch=body.branch, base=body.base, title=body.title, body=body.body
    )
    return PullRequestOut.of(row)


@router.get("/repos/{repo_id}/pull-requests")
async def list_pull_requests(
    repo: OwnedRepo,
    services: ServicesDep,
    status: Annotated[Literal["open", "merged", "closed"] | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[PullRequestOut]:
    """Pull requests, newest first."""
    rows = await services.repos.pull_requests.list(
        ref_of(repo), status=status, limit=limit + 1, before=decode_number(cursor)
    )
    more = rows[limit - 1].number if len(rows) > limit else None
    items = [PullRequestOut.of(row) for row in rows[:limit]]
    return Page(items=items, next_cursor=encode_cursor(more))


@router.get("/repos/{repo_id}/pull-requests/{number}")
async def get_pull_request(
    repo: OwnedRepo, number: PullRequestNumber, services: ServicesDep
) -> PullRequestStateOut:
    """One pull request, what keeps it from being merged now, and what is said of its branch."""
    row = await services.repos.pull_requests.get(ref_of(repo), number)
    conflicts = await services.repos.pull_requests.conflicts(ref_of(repo), row)
    statuses = await services.repos.pull_requests.statuses(ref_of(repo), row)
    return PullRequestStateOut.with_state(row, conflicts, statuses)


@router.post("/repos/{repo_id}/pull-requests/{number}/close")
async def close_pull_request(
    repo: OwnedRepo, number: PullRequestNumber, services: ServicesDep, key: IdempotencyHeader = None
) -> PullRequestOut:
    """Close it without a merge; 409 when it is merged."""
    return PullRequestOut.of(await services.repos.pull_requests.close(ref_of(repo), number))


@router.post("/repos/{repo_id}/pull-requests/{number}/merge")
async def merge_pull_request(
    repo: OwnedRepo,
    number: PullRequestNumber,
    user: CurrentUser,
    services: ServicesDep,
    key: IdempotencyHeader = None,
) -> PullRequestOut:
    """Merge it; 409 with the `paths` that both sides changed when that can't be done."""
    row = await services.repos.pull_requests.merge(ref_of(repo), number, actor=author_of(user))
    return PullRequestOut.of(row)


@router.post("/repos/{repo_id}/tokens", status_code=201)
async def create_git_token(
    repo: OwnedRepo, body: TokenIn, services: ServicesDep, response: Response
) -> TokenOut:
    """A token for clone or push; its text is shown in this answer only."""
    issued = await services.git_tokens.issue(
        repo.id, body.scope, life=timedelta(days=body.expires_in_days)
    )
    response.headers["Cache-Control"] = "no-store"
    return TokenOut.of(issued)


@router.get("/repos/{repo_id}/tokens")
async def list_git_tokens(repo: OwnedRepo, services: ServicesDep) -> Page[TokenInfoOut]:
    """Tokens that have not expired (at most 100), newest first, without their text."""
    tokens = await services.git_tokens.list(repo.id)
    return Page(items=[TokenInfoOut.of(info) for info in tokens], next_cursor=None)


@router.delete("/repos/{repo_id}/tokens/{token_id}", status_code=204)
async def revoke_git_token(repo: OwnedRepo, token_id: Id, services: ServicesDep) -> None:
    """End a token now."""
    await services.git_tokens.revoke(repo.id, token_id)


@router.post("/repos/{repo_id}/deploy-keys", status_code=201)
async def add_deploy_key(
    repo: OwnedRepo, body: DeployKeyIn, services: ServicesDep, key: IdempotencyHeader = None
) -> DeployKeyOut:
    """Store a public SSH key; the same key again is no error.

    It opens the repository where whoever runs the server has set up SSH; an access token always
    does.
    """
    row = await services.repos.deploy_keys.add(
        ref_of(repo), title=body.title, public_key=body.public_key, read_only=body.read_only
    )
    return DeployKeyOut.of(row)


@router.get("/repos/{repo_id}/deploy-keys")
async def list_deploy_keys(repo: OwnedRepo, services: ServicesDep) -> Page[DeployKeyOut]:
    """Deploy keys (at most 50), oldest first."""
    rows = await services.repos.deploy_keys.list(repo.id)
    return Page(items=[DeployKeyOut.of(row) for row in rows], next_cursor=None)


@router.delete("/repos/{repo_id}/deploy-keys/{key_id}", status_code=204)
async def remove_deploy_key(repo: OwnedRepo, key_id: Id, services: ServicesDep) -> None:
    """End a deploy key now."""
    await services.repos.deploy_keys.remove(ref_of(repo), key_id)


async def _repo(services: Services, row: Repo) -> RepoOut:
    head = await services.forge.head(ref_of(row), row.default_branch)
    return RepoOut.of(row, services.repos.clone_url(row), head)


def _message(subject: str) -> MessageIn:
    """The parts of a free subject; one without kind and scope is an edit."""
    match = re.fullmatch(r"([a-z][a-z0-9-]{0,31})\(([^()]{1,40})\): (.+)", subject, re.DOTALL)
    if match is None:
        return MessageIn(kind="edit", scope="repo", what=subject)
    return MessageIn(kind=match[1], scope=match[2], what=match[3])


def _operation(user: Principal, key: str | None, body: str) -> str:
    """The same for a retried request, even if its first answer was lost in a crash."""
    if key is None:
        return new_id("op")
    return "api:" + hashlib.sha256(f"{user.user_id}\n{key}\n{body}".encode()).hexdigest()[:32]
