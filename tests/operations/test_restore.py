"""The registry, rebuilt from repositories that cannot all be trusted."""

import shutil

import pytest

from growqr.errors import NotFound
from growqr.operations.restore import RestoreRefused, invite, restore_all, restore_user
from growqr.operations.stores import open_stores
from tests.operations.conftest import Installation, snapshot_of

pytestmark = pytest.mark.anyio


async def test_rows_come_back_with_their_ids(installation: Installation) -> None:
    await installation.add_person("ada")
    async with open_stores(installation.settings) as stores:
        assert [done.state for done in await restore_all(stores)] == ["restored"]
    rows = await installation.rows()
    assert rows["repos"] == ["rep_ada usr_ada grow primary", "rep_ada2 usr_ada tool project"]
    assert "act_ada_quest usr_ada quest" in rows["actors"]
    assert len(rows["actors"]) == 4
    await installation.lose_registry()
    async with open_stores(installation.settings) as stores:
        ada = await stores.user("ada@example.com")
        assert (await restore_user(stores, ada)).state == "restored"
        assert (await restore_user(stores, ada)).state == "there"
    assert await installation.rows() == rows


async def test_a_pushed_snapshot_gets_nobody_elses_account(installation: Installation) -> None:
    await installation.add_person("ada")
    await installation.add_person("bob")
    stolen = snapshot_of("bob", user_id="usr_ada")
    await installation.write_snapshot("rep_bob", stolen, "usr_bob")
    claims = snapshot_of("ada")
    await installation.write_snapshot("rep_bob", claims, "act_ada_grow", signed=False)
    async with open_stores(installation.settings) as stores:
        states = {done.repo_id: done.state for done in await restore_all(stores)}
    assert states["rep_ada"] == "restored"
    rows = await installation.rows()
    assert "rep_ada usr_ada grow primary" in rows["repos"]
    assert "rep_bob usr_bob grow primary" in rows["repos"], "the last signed snapshot counts"


async def test_without_any_keys_the_newest_snapshot_counts(installation: Installation) -> None:
    await installation.add_person("ada")
    shutil.rmtree(installation.settings.data_dir / "secrets")
    async with open_stores(installation.settings) as stores:
        assert [done.state for done in await restore_all(stores)] == ["restored"]


async def test_a_snapshot_nobody_signed_needs_an_invitation(installation: Installation) -> None:
    await installation.add_person("ada")
    shutil.rmtree(installation.settings.data_dir / "secrets")
    await installation.add_person("bob")  # so there are keys again, but not Ada's
    async with open_stores(installation.settings) as stores:
        outcomes = {done.repo_id: done for done in await restore_all(stores)}
        assert outcomes["rep_bob"].state == "restored"
        assert outcomes["rep_ada"].state == "left"
        assert "--invite ada@example.com=rep_ada" in outcomes["rep_ada"].detail
        ada = await stores.user("usr_ada")
        with pytest.raises(NotFound):
            await restore_user(stores, ada)
        assert (await invite(stores, ada, "rep_ada")).state == "restored"
    assert "act_ada_grow usr_ada grow" in (await installation.rows())["actors"]


async def test_invitations_are_refused_for_what_is_not_there_or_not_free(
    installation: Installation,
) -> None:
    await installation.add_person("ada")
    await installation.add_person("bob")
    async with open_stores(installation.settings) as stores:
        await restore_all(stores)
        bob = await stores.user("usr_bob")
        with pytest.raises(RestoreRefused):
            await invite(stores, bob, "rep_ada")
        with pytest.raises(NotFound):
            await invite(stores, bob, "rep_none")
        with pytest.raises(NotFound):
            await invite(stores, bob, "../secrets")
    assert "rep_bob usr_bob grow primary" in (await installation.rows())["repos"]
