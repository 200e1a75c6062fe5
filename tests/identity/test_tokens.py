import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from typer.testing import CliRunner

from growqr.cli import app
from growqr.identity.keys import AHEAD_SECONDS, KEEP_SECONDS, SigningKeys
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenInvalid, TokenService

ADA = Principal("usr_ada", "ada@example.org", "Ada")
HOUR = timedelta(hours=1)
CALL = {"user_id": "usr_ada", "actor_id": "act_1", "audience": "scores", "scope": "scores:read"}


def read_by_others(text: str, tokens: TokenService) -> dict[str, Any]:
    """What somebody reads in a token who knows only the published keys."""
    keys = KeySet.import_key_set(tokens.keys.published())  # type: ignore[arg-type]
    return jwt.decode(text, keys, algorithms=["Ed25519"]).claims


def test_a_token_says_who_it_was_issued_to(tokens: TokenService) -> None:
    assert tokens.verify(tokens.issue(ADA).text) == ADA


def test_the_key_survives_a_restart_and_is_private(tmp_path: Path) -> None:
    text = TokenService.open(tmp_path / "s", HOUR).issue(ADA).text
    assert TokenService.open(tmp_path / "s", HOUR).verify(text) == ADA
    file = tmp_path / "s" / "token-keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: TokenService.open(tmp_path / "s", HOUR), range(8)))
    text = made[0].issue(ADA).text
    assert all(one.verify(text) == ADA for one in made)


def test_others_verify_our_tokens_with_the_published_keys(tokens: TokenService) -> None:
    assert read_by_others(tokens.issue(ADA).text, tokens)["sub"] == "usr_ada"
    assert "d" not in tokens.keys.published()["keys"][0]


def test_expired_foreign_and_broken_tokens_are_refused(
    tokens: TokenService, tmp_path: Path
) -> None:
    expired = TokenService.open(tmp_path / "secrets", timedelta(seconds=-10)).issue(ADA).text
    foreign = TokenService.open(tmp_path / "others", HOUR).issue(ADA).text
    head, _, signature = tokens.issue(ADA).text.split(".")
    _, other_body, _ = foreign.split(".")
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfYWRhIn0."
    swapped = f"{head}.{other_body}x.{signature}"
    for text in (expired, foreign, swapped, unsigned, "", "x", "a.b.c", "ü.ü.ü"):
        with pytest.raises(TokenInvalid):
            tokens.verify(text)


def test_a_token_for_a_service_says_who_and_what_for_and_is_new_each_time(
    tokens: TokenService,
) -> None:
    one, two = (read_by_others(tokens.for_service(**CALL), tokens) for _ in range(2))
    assert (one["sub"], one["act"], one["aud"]) == ("usr_ada", {"sub": "act_1"}, "scores")
    assert one["scope"] == "scores:read"
    assert one["exp"] - one["iat"] == 60
    assert one["jti"] != two["jti"]


def test_no_kind_of_token_passes_for_another(tokens: TokenService) -> None:
    person, agents = tokens.issue(ADA).text, tokens.for_agents("api")
    assert tokens.check_caller(agents) == "api"
    for text in (agents, tokens.for_service(**CALL)):
        with pytest.raises(TokenInvalid):
            tokens.verify(text)
    for text in (person, tokens.for_service(**CALL), ""):
        with pytest.raises(TokenInvalid):
            tokens.check_caller(text)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(tokens: TokenService) -> None:
    (public,) = tokens.keys.published()["keys"]
    secret = OctKey.import_key(public["x"])
    claims = read_by_others(tokens.issue(ADA).text, tokens)
    forged = jwt.encode({"alg": "HS256", "kid": public["kid"]}, claims, secret)
    with pytest.raises(TokenInvalid):
        tokens.verify(forged)


def test_rotation_is_seen_by_every_process_and_ends_no_session(tmp_path: Path) -> None:
    now = 1_000_000.0
    secrets = tmp_path / "s"
    one = TokenService(SigningKeys(secrets, lambda: now), HOUR)
    two = TokenService(SigningKeys(secrets, lambda: now), HOUR)
    before = two.issue(ADA).text
    old = two.keys.current()[0]
    new = one.rotate()
    assert {key["kid"] for key in two.keys.published()["keys"]} == {new, old}
    now += KEEP_SECONDS  # who has just read the keys may use them for this long
    assert one.keys.current()[0] == two.keys.current()[0] == old
    now = 1_000_000.0 + AHEAD_SECONDS
    assert one.keys.current()[0] == two.keys.current()[0] == new
    assert two.verify(before) == one.verify(before) == ADA
    assert two.verify(one.issue(ADA).text) == ADA

    now += 2 * HOUR.total_seconds()  # whatever the old key signed is over
    assert len(two.keys.published()["keys"]) == 1
    with pytest.raises(TokenInvalid):
        two.verify(before)
    one.rotate()
    assert len(json.loads((secrets / "token-keys.json").read_text())["keys"]) == 2


def test_keys_sign_one_after_the_other_also_when_they_are_made_in_a_hurry(tmp_path: Path) -> None:
    now = 1_000_000.0
    tokens = TokenService(SigningKeys(tmp_path, lambda: now), HOUR)
    first = tokens.keys.current()[0]
    second = tokens.rotate()
    now += 10
    third = tokens.rotate()
    signs = []
    for step in (AHEAD_SECONDS - 11, 1, 10):
        now += step
        signs.append(tokens.keys.current()[0])
        assert tokens.verify(tokens.issue(ADA).text) == ADA
    assert signs == [first, second, third]
    tokens.rotate()
    at_once = tokens.rotate(revoke=True)
    assert tokens.keys.current()[0] == at_once
    assert [key["kid"] for key in tokens.keys.published()["keys"]] == [at_once]


def test_a_key_that_got_out_is_worthless_at_once(tmp_path: Path) -> None:
    running = TokenService.open(tmp_path / "secrets", HOUR)
    stolen = running.issue(ADA).text
    done = CliRunner().invoke(
        app, ["keys", "rotate", "--revoke"], env={"GROWQR_DATA_DIR": str(tmp_path)}
    )
    assert done.exit_code == 0
    assert running.keys.current()[0] in done.output
    with pytest.raises(TokenInvalid):
        running.verify(stolen)
    with pytest.raises((JoseError, ValueError)):
        read_by_others(stolen, running)


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    keys = [SigningKeys(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda one: one.rotate(60), keys))
    assert made < {key["kid"] for key in keys[0].published()["keys"]}
