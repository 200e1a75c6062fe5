import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from growqr.db.engine import Database
from growqr.db.tables import GitToken, Repo, User
from growqr.errors import NotFound
from growqr.git.commits import CommitService
from growqr.git.deploy_keys import KeyInvalid, check_public_key
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import BranchNotFound, Change, MergeConflict, RepoRef
from growqr.git.pull_requests import NothingToMerge
from growqr.git.repos import RepoExists, RepoNameInvalid, RepoService, TooManyProjects, ref_of
from growqr.git.tokens import GitTokens, TokenInvalid, TokenLifeInvalid
from growqr.settings import Limits, Settings
from tests.git.samples import ANYONE, ED25519

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database(f"sqlite+aiosqlite:///{tmp_path}/db/x.sqlite")
    await db.migrate()
    async with db.session() as session:
        for user in ("usr_1", "usr_2"):
            session.add(User(id=user, email=f"{user}@example.com", name=user, password_hash=None))
    yield db
    await db.aclose()


@pytest.fixture
async def repos(db: Database, forge: EmbeddedForge, commits: CommitService) -> RepoService:
    return RepoService(db, forge, commits, Settings(limits=Limits(projects=3)))


async def commit(
    commits: CommitService, repo: RepoRef, path: str, data: bytes, branch: str = "main"
) -> None:
    await commits.commit(
        repo,
        actor=ANYONE,
        kind="write",
        scope="x",
        what=path,
        changes=[Change(path, data)],
        operation=f"{branch}:{path}:{data!r}",
        branch=branch,
    )


async def test_the_primary_repository_is_one_however_often_it_is_asked_for(
    repos: RepoService, forge: EmbeddedForge, db: Database
) -> None:
    rows = await asyncio.gather(*(repos.ensure_primary("usr_1") for _ in range(5)))
    assert len({row.id for row in rows}) == 1
    async with db.session() as session:
        assert len(list(await session.scalars(select(Repo)))) == 1
    assert (rows[0].name, rows[0].kind) == ("grow", "primary")
    await forge.delete(ref_of(rows[0]))  # as if a crash had come before the Git data
    again = await repos.ensure_primary("usr_1")
    assert await forge.head(ref_of(again)) is not None
    with pytest.raises(NotFound):
        await repos.ensure_primary("usr_nobody")


async def test_projects_are_found_through_their_owner_only(repos: RepoService) -> None:
    row = await repos.create_project("usr_1", "todo", "A list")
    assert (await repos.get("usr_1", row.id)).description == "A list"
    assert (await repos.by_name("usr_1", "todo")).id == row.id
    assert (await repos.ensure_project("usr_1", "todo")).id == row.id
    assert (await repos.create_project("usr_2", "todo")).id != row.id
    for attempt in (repos.get("usr_2", row.id), repos.by_name("usr_2", row.id)):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(RepoExists):
        await repos.create_project("usr_1", "todo")
    assert repos.clone_url(row) == f"http://127.0.0.1:8000/git/{row.id}/todo.git"


async def test_projects_are_limited_and_listed_in_pages(repos: RepoService) -> None:
    for name in ("a", "b", "c"):
        await repos.create_project("usr_1", name)
    with pytest.raises(TooManyProjects):
        await repos.create_project("usr_1", "d")
    first = await repos.list("usr_1", limit=2)
    rest = await repos.list("usr_1", limit=2, after=first[-1].id)
    assert [row.name for row in [*first, *rest]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name", ["", "grow", "A", "a/b", "..", "a..b", ".a", "x.git", "x.lock", "a b", "-a", "a" * 65]
)
async def test_names_that_are_no_names_are_refused(repos: RepoService, name: str) -> None:
    with pytest.raises(RepoNameInvalid):
        await repos.create_project("usr_1", name)


async def test_a_pull_request_is_opened_once_and_merged_once(
    repos: RepoService, forge: EmbeddedForge, commits: CommitService
) -> None:
    repo = ref_of(await repos.create_project("usr_1", "todo"))
    pulls = repos.pull_requests
    await forge.create_branch(repo, "topic", at="main")
    with pytest.raises(NothingToMerge):
        await pulls.open(repo, branch="topic", title="Nothing")
    with pytest.raises(BranchNotFound):
        await pulls.open(repo, branch="nope", title="No")
    await commit(commits, repo, "x.md", b"1", "topic")
    opened = await pulls.open(repo, branch="topic", title="Add x")
    assert (opened.number, opened.status) == (1, "open")
    assert (await pulls.open(repo, branch="topic", title="Again")).id == opened.id
    merged = await pulls.merge(repo, 1, actor=ANYONE)
    assert (merged.status, merged.merge_commit) == ("merged", await forge.head(repo))
    assert (await pulls.merge(repo, 1, actor=ANYONE)).merge_commit == merged.merge_commit
    assert len(await forge.commits(repo)) == 3
    assert [row.number for row in await pulls.list(repo, status="merged")] == [1]
    with pytest.raises(NotFound):
        await pulls.merge(repo, 2, actor=ANYONE)


async def test_a_pull_request_that_many_open_at_once_is_one(
    repos: RepoService, forge: EmbeddedForge, commits: CommitService
) -> None:
    repo = ref_of(await repos.create_project("usr_1", "todo"))
    await forge.create_branch(repo, "topic", at="main")
    await commit(commits, repo, "x.md", b"1", "topic")
    opening = (repos.pull_requests.open(repo, branch="topic", title="Add x") for _ in range(20))
    assert len({row.id for row in await asyncio.gather(*opening)}) == 1


async def test_a_conflict_leaves_the_pull_request_open(
    repos: RepoService, forge: EmbeddedForge, commits: CommitService
) -> None:
    repo = ref_of(await repos.create_project("usr_1", "todo"))
    await forge.create_branch(repo, "topic", at="main")
    await commit(commits, repo, "x.md", b"mine\n", "topic")
    await commit(commits, repo, "x.md", b"yours\n")
    await repos.pull_requests.open(repo, branch="topic", title="Conflict")
    with pytest.raises(MergeConflict) as caught:
        await repos.pull_requests.merge(repo, 1, actor=ANYONE)
    assert caught.value.extra == {"paths": ["x.md"]}
    assert (await repos.pull_requests.get(repo, 1)).status == "open"
    assert await forge.blob(repo, "x.md") == b"yours\n"


async def test_tokens_open_their_repository_until_they_end(
    repos: RepoService, db: Database
) -> None:
    first = await repos.create_project("usr_1", "one")
    second = await repos.create_project("usr_1", "two")
    tokens = GitTokens(db)
    issued = await tokens.issue(first.id, "read")
    assert await tokens.authenticate(first.id, issued.token) == "read"
    assert await tokens.authenticate(second.id, issued.token) is None
    for wrong in ("", "ggt_x", issued.id, issued.token + "x"):
        with pytest.raises(TokenInvalid):
            await tokens.authenticate(first.id, wrong)
    async with db.session() as session:
        assert issued.token not in str((await session.scalars(select(GitToken))).one().token_hash)
    assert [info.id for info in await tokens.list(first.id)] == [issued.id]
    with pytest.raises(NotFound):
        await tokens.revoke(second.id, issued.id)
    await tokens.revoke(first.id, issued.id)
    with pytest.raises(TokenInvalid):
        await tokens.authenticate(first.id, issued.token)


async def test_an_expired_token_opens_nothing(repos: RepoService, db: Database) -> None:
    repo = await repos.create_project("usr_1", "one")
    tokens = GitTokens(db)
    issued = await tokens.issue(repo.id, "write", life=timedelta(days=1))
    async with db.session() as session:
        await session.execute(update(GitToken).values(expires_at=datetime.now(UTC)))
    with pytest.raises(TokenInvalid):
        await tokens.authenticate(repo.id, issued.token)
    assert await tokens.list(repo.id) == []
    with pytest.raises(TokenLifeInvalid):
        await tokens.issue(repo.id, "write", life=timedelta(days=366))


async def test_deploy_keys_are_kept_once(repos: RepoService) -> None:
    repo = await repos.create_project("usr_1", "one")
    key = await repos.deploy_keys.add(
        ref_of(repo), title="laptop", public_key=f"ssh-ed25519 {ED25519} me@laptop\n"
    )
    assert key.public_key == f"ssh-ed25519 {ED25519}"
    again = await repos.deploy_keys.add(
        ref_of(repo), title="other", public_key=f"ssh-ed25519 {ED25519}"
    )
    assert again.id == key.id
    assert [row.id for row in await repos.deploy_keys.list(repo.id)] == [key.id]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        f"ssh-rsa {ED25519}",
        f"ssh-dss {ED25519}",
        f"ssh-ed25519 {ED25519[:-8]}",
        f"ssh-ed25519 {ED25519}\nssh-ed25519 {ED25519}",
        f'command="x" ssh-ed25519 {ED25519}',
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "ssh-rsa " + base64.b64encode(b"\0\0\0\x07ssh-rsa\0\0\0\x01\3\0\0\0\x02ab").decode(),
        "ssh-ed25519 " + "A" * 5000,
    ],
)
async def test_what_is_no_good_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid):
        check_public_key(text)
