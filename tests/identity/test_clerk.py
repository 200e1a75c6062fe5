import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from growqr.db.engine import Database
from growqr.db.tables import User
from growqr.identity.clerk import ClerkIdentity, ClerkUnavailable, ClerkWebhookRefused
from growqr.identity.tokens import TokenInvalid
from tests.support.clerk_server import ClerkServer, clerk_identity, clerk_server, new_key, webhook

pytestmark = pytest.mark.anyio


@pytest.fixture
def clerk() -> Iterator[ClerkServer]:
    with clerk_server() as server:
        yield server


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/growqr.sqlite")
    await database.migrate()
    yield database
    await database.aclose()


@pytest.fixture
async def identity(clerk: ClerkServer, db: Database) -> AsyncIterator[ClerkIdentity]:
    identity = clerk_identity(clerk.settings(), db)
    yield identity
    await identity.aclose()


async def test_users_are_mirrored_at_first_sight_and_then_nobody_is_asked(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    first = await identity.verify(clerk.token(ada))
    assert (first.email, first.name) == ("ada@example.org", "Ada")
    clerk.requests.clear()
    clerk.down = True
    assert await identity.verify(clerk.token(ada, iat=int(time.time()) - 1)) == first
    assert clerk.requests == []


async def test_first_sights_that_race_make_one_user(
    clerk: ClerkServer, identity: ClerkIdentity, db: Database
) -> None:
    ada = clerk.add("ada")
    tokens = [clerk.token(ada, sid=f"sess_{number}") for number in range(5)]
    found = await asyncio.gather(*(identity.verify(token) for token in tokens))
    assert len({principal.user_id for principal in found}) == 1
    async with db.session() as session:
        assert len((await session.scalars(select(User))).all()) == 1


async def test_forged_expired_and_foreign_tokens_are_refused(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    now = int(time.time())
    good = clerk.token(ada)
    head, body, signature = good.split(".")
    bad = [
        "",
        "x",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        clerk.token(ada, key=new_key()),
        clerk.token(ada, exp=now - 6),
        clerk.token(ada, nbf=now + 60),
        clerk.token(ada, azp="https://evil.example"),
        clerk.token(ada, azp=None),
        clerk.token(ada, exp=None),
        clerk.token(ada, sts="pending"),
        clerk.token("org_1"),
        clerk.token("user_nobody"),
        "mt_" + good,
        jwt.encode({"sub": ada, "exp": now + 60}, "", "none"),
        jwt.encode({"sub": ada, "exp": now + 60}, "secret" * 8, "HS256", {"kid": "ins_1"}),
    ]
    for token in bad:
        with pytest.raises(TokenInvalid):
            await identity.verify(token)
    assert (await identity.verify(good)).email == "ada@example.org"


async def test_clocks_may_differ_by_the_setting(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    ahead = int(time.time()) + 3
    assert await identity.verify(clerk.token(ada, iat=ahead, nbf=ahead))


@pytest.mark.parametrize("key_id", ["ins_1", "ins_2"])
async def test_keys_rotate_under_the_same_or_another_id(
    clerk: ClerkServer, identity: ClerkIdentity, key_id: str
) -> None:
    ada = clerk.add("ada")
    old = clerk.token(ada)
    await identity.verify(old)
    clerk.rotate(key_id)  # right after we have read the keys
    assert await identity.verify(clerk.token(ada))
    identity._known.clear()
    with pytest.raises(TokenInvalid):
        await identity.verify(old)


async def test_made_up_tokens_do_not_make_us_ask_for_keys_each_time(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    await identity.verify(clerk.token(ada))
    clerk.requests.clear()
    for number in range(20):
        forged = jwt.encode({"sub": ada}, new_key(), "RS256", {"kid": f"x{number % 2}"})
        with pytest.raises(TokenInvalid):
            await identity.verify(forged)
    assert clerk.requests == ["/v1/jwks"]


async def test_with_the_pem_no_key_set_is_read(clerk: ClerkServer, db: Database) -> None:
    pem = clerk.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    identity = clerk_identity(clerk.settings(clerk_jwt_key=pem.decode()), db)
    ada = clerk.add("ada")
    assert await identity.verify(clerk.token(ada))
    assert clerk.requests == [f"/v1/users/{ada}"]
    await identity.aclose()


async def test_clerk_being_down_is_not_a_wrong_token(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    clerk.down = True
    with pytest.raises(ClerkUnavailable):
        await identity.verify(clerk.token(clerk.add("ada")))


async def test_webhooks_update_and_delete_in_any_order(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    await identity.receive(*webhook("user.created", ada))
    known = await identity.mirror.find(ada)
    assert known is not None
    clerk.users[ada]["first_name"] = "Augusta"
    for kind in ("user.updated", "user.created", "user.updated"):
        assert await identity.receive(*webhook(kind, ada)) is None
    assert (await identity.verify(clerk.token(ada))).name == "Augusta"
    assert await identity.receive(*webhook("user.deleted", ada)) == known.user_id
    del clerk.users[ada]
    assert await identity.receive(*webhook("user.updated", ada)) is None


async def test_a_deleted_user_does_not_come_back_with_an_old_token(
    clerk: ClerkServer, identity: ClerkIdentity, db: Database
) -> None:
    ada = clerk.add("ada")
    token = clerk.token(ada)
    await identity.receive(*webhook("user.deleted", ada))
    with pytest.raises(TokenInvalid):
        await identity.verify(token)
    async with db.session() as session:
        assert (await session.scalars(select(User))).all() == []


async def test_forged_and_replayed_webhooks_are_refused(
    clerk: ClerkServer, identity: ClerkIdentity
) -> None:
    ada = clerk.add("ada")
    body, headers = webhook("user.created", ada)
    old = webhook("user.created", ada, at=time.time() - 400)
    for bad in (
        (body, {}),
        (body.replace(b"created", b"deleted"), headers),
        (body, {**headers, "svix-signature": "v1,AAAA"}),
        old,
    ):
        with pytest.raises(ClerkWebhookRefused):
            await identity.receive(*bad)
    assert await identity.mirror.find(ada) is None


@pytest.mark.parametrize("verified", [True, False])
async def test_a_local_account_is_taken_over_only_by_a_verified_address(
    clerk: ClerkServer, identity: ClerkIdentity, db: Database, verified: bool
) -> None:
    async with db.session() as session:
        session.add(User(id="usr_old", email="ada@example.org", name="A", password_hash="x"))
    ada = clerk.add("ada", verified=verified)
    principal = await identity.verify(clerk.token(ada))
    assert (principal.user_id == "usr_old") is verified
    assert (principal.email == "ada@example.org") is verified
