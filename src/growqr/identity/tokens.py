"""Access tokens: short-lived, signed with a key of this installation."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from growqr.errors import Unauthenticated
from growqr.identity.principal import Principal
from growqr.secret_files import own_secret

_ALGORITHM = "Ed25519"
_ISSUER = "growqr"


class TokenInvalid(Unauthenticated):
    """The access token is malformed, expired, or not ours."""

    code = "token_invalid"


@dataclass(frozen=True)
class AccessToken:
    """A signed token and when it stops to be accepted."""

    text: str
    expires_at: datetime


class TokenService:
    """Issues and verifies access tokens (JWT, Ed25519)."""

    def __init__(self, key: OKPKey, lifetime: timedelta) -> None:
        self._key = key
        self._key_id = key.thumbprint()
        self._lifetime = lifetime
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": _ISSUER},
            exp={"essential": True},
            sub={"essential": True},
        )

    @classmethod
    def open(cls, secrets: Path, lifetime: timedelta) -> "TokenService":
        """Use the signing key in the folder `secrets`; make one when there is none.

        Two processes that start at once end up with the same key.
        """
        text = own_secret(secrets, "access-token-key.json", _new_key)
        return cls(OKPKey.import_key(json.loads(text)), lifetime)

    def issue(self, user: Principal) -> AccessToken:
        """Return a token that says who `user` is."""
        now = datetime.now(UTC).replace(microsecond=0)
        expires_at = now + self._lifetime
        claims = {
            "iss": _ISSUER,
            "sub": user.user_id,
            "email": user.email,
            "name": user.name,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        header = {"alg": _ALGORITHM, "kid": self._key_id}
        return AccessToken(
            jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM]), expires_at
        )

    def verify(self, text: str) -> Principal:
        """Return who the token speaks for; raises TokenInvalid."""
        try:
            claims = jwt.decode(text, self._key, algorithms=[_ALGORITHM]).claims
            self._claims.validate(claims)
            return Principal(str(claims["sub"]), str(claims["email"]), str(claims["name"]))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise TokenInvalid("The access token is not valid, or it has expired.") from error

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key Set, for others that verify our tokens."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self._key_id, "alg": _ALGORITHM, "use": "sig"}]}


def _new_key() -> str:
    return json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=True))
