"""Which commits came in by whose push, told apart from what nobody vouches for."""

import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import pytest

from growqr.db.engine import Database
from growqr.db.tables import Repo, User
from growqr.git.embedded import EmbeddedForge
from growqr.git.gitea.forge import GiteaForge
from growqr.git.hosting import Hosting
from growqr.git.http import GitHttp
from growqr.git.pushes import Pushed, Pushes, new_heads, pushes_of, watched
from growqr.git.signing import Signer
from growqr.git.verifying import Report, verify_repository
from growqr.settings import GitSettings
from tests.git.conftest import authenticate, serving, url
from tests.git.samples import REPO, git

pytestmark = pytest.mark.anyio

ONE, TWO = "1" * 40, "2" * 40
NONE = "0" * 40


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = Database(f"sqlite:///{tmp_path / 'db.sqlite'}")
    await db.migrate()
    async with db.session() as session:
        session.add(User(id=REPO.owner_id, email="a@example.com", name="A", password_hash=None))
        await session.flush()
        session.add(Repo(id=REPO.id, owner_id=REPO.owner_id, name="grow", kind="primary"))
    yield db
    await db.aclose()


async def test_a_push_vouches_for_what_it_brings_and_for_nothing_else(
    hosting: Hosting, settings: GitSettings, db: Database, tmp_path: Path
) -> None:
    forge = hosting.forge
    assert isinstance(forge, EmbeddedForge | GiteaForge)
    signer = Signer(tmp_path / "secrets")
    forge.sign = signer.sign
    await forge.create(REPO)
    pushes = Pushes(db, forge)
    copy = tmp_path / "copy"

    async def commit(name: str) -> str:
        (copy / name).write_text(name)
        await git("add", ".", cwd=copy)
        await git("commit", "-m", name, cwd=copy)
        return (await git("rev-parse", "HEAD", cwd=copy)).strip()

    async def report() -> Report:
        path = await forge.copy(REPO)
        return verify_repository(path, signer.known(), pushes=await pushes_of(db, REPO.id))

    gate = GitHttp(hosting.transport, settings, authenticate, pushes.record)
    back_door = GitHttp(hosting.transport, settings, authenticate)
    async with serving(gate) as front, serving(back_door) as back:
        await git("clone", url(front), str(copy))
        await commit("first")
        await commit("second")
        await git("push", "origin", "HEAD:main", cwd=copy)
        assert (await report()).counts == {"signed": 1, "pushed": 2}

        slipped_in = await commit("third")
        await git("push", url(back), "HEAD:main", cwd=copy)
        await commit("fourth")
        await git("push", "origin", "HEAD:main", "HEAD:topic", cwd=copy)
        await git("push", "origin", f"{slipped_in}:refs/heads/again", cwd=copy)
        with pytest.raises(subprocess.CalledProcessError, match="non-zero"):
            await git("push", url(front, "reader"), "HEAD:no", cwd=copy)
    found = await report()
    assert found.counts == {"signed": 1, "pushed": 3, "unvouched": 1}
    assert found.pushed_by == {REPO.owner_id: 3}
    assert [finding.sha for finding in found.findings] == [slipped_in]
    assert not found.good
    assert len(await pushes_of(db, REPO.id)) == 3


async def test_what_a_record_names_need_not_be_there(hosting: Hosting, tmp_path: Path) -> None:
    forge = hosting.forge
    assert isinstance(forge, EmbeddedForge | GiteaForge)
    signer = Signer(tmp_path / "secrets")
    forge.sign = signer.sign
    await forge.create(REPO)
    path = await forge.copy(REPO)
    blob = next(entry.oid for entry in await forge.tree(REPO) if entry.type == "file")
    pushed = Pushed("usr_1", heads=(ONE, blob), known=(TWO,))
    assert verify_repository(path, signer.known(), pushes=[pushed]).counts == {"signed": 1}


def line(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


PUSH = (
    line(f"{NONE} {ONE} refs/heads/main\0report-status agent=git")
    + line(f"{ONE} {TWO} refs/heads/topic")
    + line(f"{ONE} {NONE} refs/heads/gone")
    + line(f"{NONE} {'3' * 40} refs/tags/v1")
    + b"0000"
)


@pytest.mark.parametrize(
    ("begin", "heads"),
    [
        (PUSH + b"PACK...", [ONE, TWO]),
        (PUSH, [ONE, TWO]),
        (PUSH[:-1], None),
        (PUSH[:70], None),
        (b"00", None),
        (b"", None),
        (b"0000", []),
        (b"nope", []),
    ],
)
def test_where_a_push_wants_branches(begin: bytes, heads: list[str] | None) -> None:
    assert new_heads(begin) == heads


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_git_sees_nothing_before_the_record_is_kept(size: int) -> None:
    sent = PUSH + b"PACK" + bytes(100)
    order: list[str] = []

    async def body() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(sent), size):
            yield sent[at : at + size]
        yield b""
        order.append("watching")
        yield b""

    async def told(heads: Sequence[str]) -> None:
        order.append(",".join(heads))

    passed: list[bytes] = []
    async for data in watched(body(), told):
        order += ["passed"] if not passed else []
        passed.append(data)
    assert order == [f"{ONE},{TWO}", "passed", "watching"]
    assert b"".join(passed) == sent
    assert passed[-2:] == [b"", b""]


async def test_a_body_that_ends_too_early_is_passed_on() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield PUSH[:20]
        yield b""

    async def told(_: Sequence[str]) -> None:
        raise AssertionError("nothing was pushed")

    assert [data async for data in watched(body(), told)] == [PUSH[:20], b""]
