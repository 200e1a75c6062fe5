"""Signed tokens (JWT, Ed25519): people's access tokens, and those of our parts for each other.

Whom a token is for (`aud`) keeps the kinds apart: a token for a backing service opens nothing
here, and a person's opens no agent and no backing service.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from growqr.errors import Unauthenticated
from growqr.identity.keys import ALGORITHM, SigningKeys
from growqr.identity.principal import Principal

ISSUER = "growqr"
PEOPLE = "growqr"
"""Audience of people's access tokens: our own API."""
AGENTS = "growqr:agents"
"""Audience of the tokens with which our processes call agents."""
SERVICE_LIFETIME = timedelta(seconds=60)
_SKEW = 5
"""Seconds by which the clocks of our hosts may differ."""


class TokenInvalid(Unauthenticated):
    """The access token is malformed, expired, or not ours."""

    code = "token_invalid"


@dataclass(frozen=True)
class AccessToken:
    """A signed token and when it stops to be accepted."""

    text: str
    expires_at: datetime


class TokenService:
    """Issues and verifies tokens."""

    def __init__(self, keys: SigningKeys, lifetime: timedelta) -> None:
        """`lifetime` is that of people's access tokens."""
        self.keys = keys
        self._lifetime = lifetime
        self._for_people = _rules(PEOPLE)
        self._for_agents = _rules(AGENTS)

    @classmethod
    def open(cls, secrets: Path, lifetime: timedelta) -> "TokenService":
        """Use the keys in the folder `secrets`; make one when there is none."""
        return cls(SigningKeys(secrets), lifetime)

    def issue(self, user: Principal) -> AccessToken:
        """Return a token that says who `user` is."""
        told = {"sub": user.user_id, "email": user.email, "name": user.name}
        return self._sign(told, PEOPLE, self._lifetime)

    def verify(self, text: str) -> Principal:
        """Return who a person's token speaks for; raises TokenInvalid."""
        claims = self._read(text, self._for_people)
        try:
            return Principal(str(claims["sub"]), str(claims["email"]), str(claims["name"]))
        except KeyError as error:
            raise TokenInvalid("The access token says too little.") from error

    def for_service(self, *, user_id: str, actor_id: str, audience: str, scope: str) -> str:
        """Return a token, good for a minute, with which an agent calls one backing service.

        It says for whom (`sub`), who calls (`act`, RFC 8693), whom (`aud`) and what for
        (`scope`); `jti` is new each time, so that the service can refuse a second use.
        """
        told = {
            "sub": user_id,
            "act": {"sub": actor_id},
            "scope": scope,
            "jti": secrets.token_urlsafe(16),
        }
        return self._sign(told, audience, SERVICE_LIFETIME).text

    def for_agents(self, caller: str) -> str:
        """Return a token, good for a minute, with which a process of ours connects to agents."""
        return self._sign({"sub": caller}, AGENTS, SERVICE_LIFETIME).text

    def check_caller(self, text: str) -> str:
        """Return which process calls an agent; raises TokenInvalid."""
        return str(self._read(text, self._for_agents)["sub"])

    def rotate(self, *, revoke: bool = False) -> str:
        """Publish a new key that signs as soon as everybody has read it, and return its id.

        The tokens that others have signed until then last to their ends. With `revoke` it signs
        at once, and nothing that the keys until now have signed is accepted any more.
        """
        if revoke:
            return self.keys.rotate(overlap=0, ahead=0)
        longest = max(self._lifetime, SERVICE_LIFETIME).total_seconds() + 2 * _SKEW
        return self.keys.rotate(longest)

    def _sign(self, told: dict[str, Any], audience: str, lifetime: timedelta) -> AccessToken:
        now = datetime.now(UTC).replace(microsecond=0)
        expires_at = now + lifetime
        claims = told | {
            "iss": ISSUER,
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        key_id, key = self.keys.current()
        header = {"alg": ALGORITHM, "kid": key_id}
        return AccessToken(jwt.encode(header, claims, key, algorithms=[ALGORITHM]), expires_at)

    def _read(self, text: str, rules: jwt.JWTClaimsRegistry) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(text, self._key, algorithms=[ALGORITHM]).claims
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise TokenInvalid("The access token is not valid, or it has expired.") from error
        return claims

    def _key(self, token: Any) -> OKPKey:
        key = self.keys.find(str(token.headers().get("kid", "")))
        if key is None:
            raise ValueError("not a key of ours")
        return key


def _rules(audience: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=_SKEW,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": True},
    )
