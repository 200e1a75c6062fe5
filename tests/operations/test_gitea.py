"""The operator's commands where Gitea holds the repositories."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from growqr.git.forge import RepoRef
from growqr.git.statuses import CommitStatus
from growqr.operations.backup import write_backup
from growqr.operations.importing import read_backup
from growqr.operations.restore import Outcome, invite, restore_all, restore_user
from growqr.operations.stores import open_stores
from growqr.operations.verify import verify_users
from growqr.settings import GitSettings, Settings
from tests.git.conftest import GITEA_TOKEN, GITEA_URL, needs_gitea
from tests.operations.conftest import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.live, needs_gitea]

SAID = CommitStatus("growqr/task", "failure", "pytest -q: exit code 1", "https://grow.test/t/1")
ADAS = (RepoRef("rep_ada", "usr_ada", "grow"), RepoRef("rep_ada2", "usr_ada", "tool"))


@pytest.fixture
async def on_gitea(tmp_path: Path) -> AsyncIterator[Installation]:
    git = GitSettings(provider="gitea", gitea_url=GITEA_URL, gitea_token=SecretStr(GITEA_TOKEN))
    installation = Installation(Settings(data_dir=tmp_path / "gitea", git=git))
    await clear(installation)
    yield installation
    await clear(installation)


@pytest.fixture
def embedded(tmp_path: Path) -> Installation:
    return Installation(Settings(data_dir=tmp_path / "embedded"))


async def clear(installation: Installation) -> None:
    with installation.forge() as forge:
        for repo in ADAS:
            for owner_id in (repo.owner_id, "usr_eve"):
                await forge.delete(RepoRef(repo.id, owner_id, repo.name))


async def restore_every(installation: Installation) -> list[Outcome]:
    """Outcomes for Ada's repository; the server may hold those of others."""
    async with open_stores(installation.settings) as stores:
        return [done for done in await restore_all(stores) if done.repo_id == "rep_ada"]


async def test_the_registry_comes_back_from_gitea_alone(on_gitea: Installation) -> None:
    await on_gitea.add_person("ada")
    assert [done.state for done in await restore_every(on_gitea)] == ["restored"]
    rows = await on_gitea.rows()
    assert rows["repos"] == ["rep_ada usr_ada grow primary", "rep_ada2 usr_ada tool project"]
    assert "act_ada_quest usr_ada quest" in rows["actors"]
    await on_gitea.lose_registry()
    async with open_stores(on_gitea.settings) as stores:
        await restore_user(stores, await stores.user("ada@example.com"))
    assert await on_gitea.rows() == rows
    checked = await verify_users(on_gitea.settings, ["ada@example.com"], None)
    assert [(repo.repo_id, repo.good) for repo in checked] == [
        ("rep_ada", True),
        ("rep_ada2", True),
    ]


async def test_an_invitation_moves_the_repositories_to_the_new_account(
    on_gitea: Installation,
) -> None:
    await on_gitea.add_person("ada", account=False)
    await on_gitea.register("eve")
    assert [done.state for done in await restore_every(on_gitea)] == ["left"]
    async with open_stores(on_gitea.settings) as stores:
        eve = await stores.user("usr_eve")
        assert (await invite(stores, eve, "rep_ada")).state == "restored"
        assert (await invite(stores, eve, "rep_ada")).state == "there"
        held = await stores.repos()
        assert {held[repo.id].owner_id for repo in ADAS} == {"usr_eve"}
        moved = RepoRef("rep_ada", "usr_eve", "grow")
        assert (await stores.forge.commits(moved))[0].trailers["Actor"] == "act_ada_grow"


async def test_a_backup_goes_from_gitea_to_the_embedded_forge_and_back(
    on_gitea: Installation, embedded: Installation, tmp_path: Path
) -> None:
    await on_gitea.add_person("ada")
    await restore_every(on_gitea)
    with on_gitea.forge() as gitea:
        head = str(await gitea.head(ADAS[0]))
        await gitea.set_status(ADAS[0], head, SAID)
        await gitea.set_status(ADAS[0], head, replace(SAID, context="ci"))
    there, back = tmp_path / "there.tar", tmp_path / "back.tar"
    done = await write_backup(on_gitea.settings, there, ["ada@example.com"])
    assert (done.accounts, done.repos) == (1, 2)
    assert await read_backup(embedded.settings, there) == ["ada@example.com: taken over"]
    assert await embedded.rows() == await on_gitea.rows()
    with on_gitea.forge() as gitea, embedded.forge() as forge:
        history = await forge.commits(ADAS[0])
        assert await gitea.commits(ADAS[0]) == history
        assert await forge.statuses(ADAS[0], head) == [replace(SAID, context="ci"), SAID]

    await write_backup(embedded.settings, back, [])
    await clear(on_gitea)
    await on_gitea.lose_registry()
    assert await read_backup(on_gitea.settings, back) == ["ada@example.com: taken over"]
    with on_gitea.forge() as gitea:
        assert await gitea.commits(ADAS[0]) == history
        assert await gitea.statuses(ADAS[0], head) == [replace(SAID, context="ci"), SAID]
    again = await read_backup(on_gitea.settings, back)
    assert again == ["ada@example.com: nothing was missing"]
    assert all(repo.good for repo in await verify_users(on_gitea.settings, [], None))
