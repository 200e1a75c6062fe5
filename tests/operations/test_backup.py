"""A backup, and its import on another installation."""

import asyncio
import io
import json
import tarfile
from pathlib import Path

import pygit2
import pytest
from typer.testing import CliRunner, Result

from growqr.cli import app
from growqr.db.tables import Push
from growqr.git import status_notes
from growqr.git.forge import RepoRef
from growqr.git.signing import Signer
from growqr.git.statuses import CommitStatus
from growqr.operations.archive import MANIFEST
from growqr.operations.backup import BackupThere, write_backup
from growqr.operations.importing import BackupInvalid, read_backup
from growqr.operations.restore import restore_all
from growqr.operations.stores import open_stores
from growqr.operations.verify import verify_users
from growqr.settings import Settings
from tests.git.samples import git
from tests.operations.conftest import Installation

pytestmark = pytest.mark.anyio


@pytest.fixture
async def full(installation: Installation) -> Installation:
    await installation.add_person("ada")
    await installation.add_person("bob")
    async with open_stores(installation.settings) as stores:
        await restore_all(stores)
    return installation


@pytest.fixture
def elsewhere(tmp_path: Path) -> Installation:
    return Installation(Settings(data_dir=tmp_path / "elsewhere"))


async def test_another_installation_takes_everything_over(
    full: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    done = await write_backup(full.settings, file, [])
    assert (done.accounts, done.repos) == (2, 4)
    assert file.stat().st_mode & 0o777 == 0o600
    lines = await read_backup(elsewhere.settings, file)
    assert lines == ["ada@example.com: taken over", "bob@example.com: taken over"]
    assert await elsewhere.rows() == await full.rows()
    repo = RepoRef("rep_ada", "usr_ada", "grow")
    with full.forge() as here, elsewhere.forge() as there:
        assert await there.commits(repo) == await here.commits(repo)
        await git("fsck", "--strict", cwd=there.path("rep_ada"))
    assert all(checked.good for checked in await verify_users(elsewhere.settings, [], None))
    again = await read_backup(elsewhere.settings, file)
    assert again == [f"{name}@example.com: nothing was missing" for name in ("ada", "bob")]


async def test_what_is_said_of_commits_goes_along(
    full: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    repo = RepoRef("rep_ada", "usr_ada", "grow")
    said = CommitStatus("growqr/task", "failure", "pytest -q: exit code 1")
    with full.forge() as here:
        head = str(await here.head(repo))
        await here.set_status(repo, head, said)
    await write_backup(full.settings, tmp_path / "backup.tar", [])
    await read_backup(elsewhere.settings, tmp_path / "backup.tar")
    with elsewhere.forge() as there:
        assert await there.statuses(repo, head) == [said]
        notes = pygit2.Repository(str(there.path(repo.id)))
        assert list(status_notes.every(notes)) == [(head, said)]


async def test_one_person_is_exported_alone(
    full: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "ada.tar"
    await write_backup(full.settings, file, ["ada@example.com"])
    await read_backup(elsewhere.settings, file)
    rows = await elsewhere.rows()
    assert rows["users"] == ["usr_ada"]
    assert len(rows["actors"]) == 4
    assert "bob" not in str(rows)
    with tarfile.open(file) as tar:
        assert "bob" not in str(tar.getnames())


async def test_who_pushed_what_is_told_and_goes_along(
    full: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    who = pygit2.Signature("Ada", "ada@home.example")
    with full.forge() as forge:
        repo = pygit2.Repository(str(forge.path("rep_ada")))
    head = repo.references["refs/heads/main"].peel(pygit2.Commit)
    made = str(repo.create_commit("refs/heads/main", who, who, "x", head.tree_id, [head.id]))
    (before,) = [c for c in await verify_users(full.settings, ["usr_ada"], None) if not c.good]
    assert [(found.sha, found.verdict) for found in before.findings] == [(made, "unvouched")]

    push = Push(id="psh_1", repo_id="rep_ada", user_id="usr_ada", heads=made, known=str(head.id))
    async with open_stores(full.settings) as stores, stores.db.session() as session:
        session.add(push)
    file = tmp_path / "backup.tar"
    await write_backup(full.settings, file, [])
    await read_backup(elsewhere.settings, file)
    for home in (full, elsewhere):
        env = {"GROWQR_DATA_DIR": str(home.settings.data_dir)}
        told = await asyncio.to_thread(CliRunner().invoke, app, ["verify"], env=env)
        assert told.exit_code == 0, told.output
        assert "1 pushed by ada@example.com" in told.output


async def test_what_is_there_is_left_alone(
    full: Installation, elsewhere: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    await write_backup(full.settings, file, [])
    with pytest.raises(BackupThere):
        await write_backup(full.settings, file, [])
    await elsewhere.register("ada")
    async with open_stores(elsewhere.settings) as stores, stores.db.session() as session:
        (await session.get_one(type(await stores.user("usr_ada")), "usr_ada")).id = "usr_other"
    lines = await read_backup(elsewhere.settings, file)
    assert lines[0] == "ada@example.com: left: an account with this address is here already"
    assert lines[1] == "bob@example.com: taken over"


@pytest.mark.parametrize("damage", ["text", "no manifest", "no bundle", "cut bundle"])
async def test_a_damaged_file_is_refused(
    full: Installation, elsewhere: Installation, tmp_path: Path, damage: str
) -> None:
    file, bad = tmp_path / "backup.tar", tmp_path / "bad.tar"
    await write_backup(full.settings, file, ["ada@example.com"])
    if damage == "text":
        bad.write_text("hello")
    else:
        _damage(file, bad, damage)
    with pytest.raises(BackupInvalid):
        await read_backup(elsewhere.settings, bad)
    assert (await elsewhere.rows())["actors"] == []
    assert not list((tmp_path / "elsewhere" / "git").glob("rep_ada.git"))


@pytest.mark.parametrize(
    ("rows", "change"),
    [
        ("agents", {"repo_id": "rep_bob"}),
        ("agents", {"parent_id": "act_bob_grow"}),
        ("signers", {"author_id": "usr_bob"}),
    ],
)
async def test_a_file_that_reaches_for_others_things_is_refused(
    full: Installation,
    elsewhere: Installation,
    tmp_path: Path,
    rows: str,
    change: dict[str, str],
) -> None:
    file, bad = tmp_path / "ada.tar", tmp_path / "bad.tar"
    await write_backup(full.settings, file, ["ada@example.com"])
    with tarfile.open(file) as tar, tarfile.open(bad, "w") as made:
        for entry in tar:
            content = tar.extractfile(entry)
            assert content is not None
            data = content.read()
            if entry.name == MANIFEST:
                manifest = json.loads(data)
                manifest[rows][0] |= change
                data = json.dumps(manifest).encode()
                entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    with pytest.raises(BackupInvalid, match="in it nowhere"):
        await read_backup(elsewhere.settings, bad)
    assert (await elsewhere.rows())["actors"] == []


async def test_an_imported_key_is_none_of_somebody_who_has_one_here(
    full: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    await write_backup(full.settings, file, [])
    async with open_stores(full.settings) as stores:
        before = stores.signers()
        forged = next(signer for signer in before if signer.author_id.startswith("act_"))
        (stores.secrets / "signing" / forged.author_id).unlink()
        Signer(stores.secrets).sign(forged.author_id, b"")  # with another key from now on
        await read_backup(full.settings, file)
        keys = [one for one in stores.signers() if one.author_id == forged.author_id]
    assert len(keys) == 1
    assert keys != [forged]


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env={"GROWQR_DATA_DIR": str(tmp_path / "d")})

    missing = run("import", str(tmp_path / "none.tar"))
    assert (missing.exit_code, "can't be read" in missing.stderr) == (1, True)
    nowhere = run("backup", str(tmp_path / "no" / "folder.tar"))
    assert (nowhere.exit_code, "can't be written" in nowhere.stderr) == (1, True)
    assert run("restore").exit_code == 2
    nobody = run("verify", "--user", "x@example.com")
    assert (nobody.exit_code, "no account" in nobody.stderr) == (1, True)
    assert "no life repository" in run("restore", "--all").stdout


def _damage(source: Path, target: Path, damage: str) -> None:
    with tarfile.open(source) as tar, tarfile.open(target, "w") as bad:
        for entry in tar:
            content = tar.extractfile(entry)
            assert content is not None
            data = content.read()
            if damage == "no manifest" and entry.name.endswith(".json"):
                continue
            if entry.name == "git/rep_ada.bundle":
                if damage == "no bundle":
                    continue
                if damage == "cut bundle":
                    data = data[: len(data) // 2]
            entry.size = len(data)
            bad.addfile(entry, io.BytesIO(data))
