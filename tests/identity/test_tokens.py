import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenInvalid, TokenService

ADA = Principal("usr_ada", "ada@example.org", "Ada")
HOUR = timedelta(hours=1)


def test_a_token_says_who_it_was_issued_to(tokens: TokenService) -> None:
    assert tokens.verify(tokens.issue(ADA).text) == ADA


def test_the_key_survives_a_restart_and_is_private(tmp_path: Path) -> None:
    text = TokenService.open(tmp_path / "s", HOUR).issue(ADA).text
    assert TokenService.open(tmp_path / "s", HOUR).verify(text) == ADA
    (file,) = (tmp_path / "s").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: TokenService.open(tmp_path / "s", HOUR), range(8)))
    text = made[0].issue(ADA).text
    assert all(one.verify(text) == ADA for one in made)


def test_others_verify_our_tokens_with_the_published_keys(tokens: TokenService) -> None:
    keys = KeySet.import_key_set(tokens.jwks())  # type: ignore[arg-type]
    claims = jwt.decode(tokens.issue(ADA).text, keys, algorithms=["Ed25519"]).claims
    assert claims["sub"] == "usr_ada"
    assert "d" not in tokens.jwks()["keys"][0]


def test_expired_foreign_and_broken_tokens_are_refused(
    tokens: TokenService, tmp_path: Path
) -> None:
    expired = TokenService.open(tmp_path / "secrets", timedelta(seconds=-1)).issue(ADA).text
    foreign = TokenService(OKPKey.generate_key("Ed25519"), HOUR).issue(ADA).text
    head, _, signature = tokens.issue(ADA).text.split(".")
    _, other_body, _ = foreign.split(".")
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfYWRhIn0."
    swapped = f"{head}.{other_body}x.{signature}"
    for text in (expired, foreign, swapped, unsigned, "", "x", "a.b.c", "ü.ü.ü"):
        with pytest.raises(TokenInvalid):
            tokens.verify(text)
