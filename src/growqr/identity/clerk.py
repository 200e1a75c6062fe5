"""People whose accounts are at Clerk: session tokens, the mirror of users, webhooks.

Tokens are verified without asking anybody: with the PEM key of the settings, or with the key
set (JWKS) that Clerk publishes, kept for an hour and read anew when a token names a key that is
not in it. After a reading that did not help, there is none for 30 seconds.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jwt
import structlog
from clerk_backend_api.security.machine import get_token_type
from clerk_backend_api.security.types import (
    TokenType,
    TokenVerificationError,
    TokenVerificationErrorReason,
    VerifyTokenOptions,
)
from clerk_backend_api.security.verifytoken import verify_token
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from svix.webhooks import Webhook, WebhookVerificationError

from growqr.db.engine import Database
from growqr.errors import Forbidden, InvalidInput, Unavailable
from growqr.identity.mirror import Mirror, Mirrored
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenInvalid
from growqr.settings import IdentitySettings

log = structlog.get_logger(__name__)

_KEYS_SECONDS = 3600
_FRUITLESS_SECONDS = 30
"""Who sends made-up tokens must not make us ask Clerk for its keys more often."""
_KNOWN_TOKENS = 5_000
_KNOWN_SECONDS = 60
_MAX_TOKEN = 8_192
_RECENT_MINUTES = 10
_INVALID = "The session token is not valid, or it has expired."


class ClerkUnavailable(Unavailable):
    """Clerk does not answer now."""

    code = "identity.unavailable"


class ClerkWebhookRefused(InvalidInput):
    """The webhook's signature is missing, wrong, or older than five minutes."""

    code = "webhook.signature_invalid"


class LoginTooOld(Forbidden):
    """What can't be undone needs a login of the last minutes, as a password does with ours."""

    code = "login_too_old"
    title = "Please log in again"


class ClerkIdentity:
    """Verifies Clerk's session tokens and keeps a copy of its users.

    `before_join` is called with a local account that is about to become a user's at Clerk, to end
    what else lets its maker in; what it raises leaves the account as it was.
    """

    def __init__(
        self,
        settings: IdentitySettings,
        db: Database,
        base_url: str,
        *,
        before_join: Callable[[str], Awaitable[None]],
    ) -> None:
        self.mirror = Mirror(db)
        self._before_join = before_join
        self._secret = settings.clerk_secret_key.get_secret_value()
        self._pem = settings.clerk_jwt_key or None
        self._parties = list(settings.clerk_authorized_parties) or [base_url]
        self._skew_ms = settings.clerk_clock_skew_seconds * 1000
        self._webhook_secret = settings.clerk_webhook_secret.get_secret_value()
        self._http = httpx.AsyncClient(
            base_url=settings.clerk_api_url.rstrip("/"),
            headers={"authorization": f"Bearer {self._secret}"},
            timeout=10,
        )
        self._keys: dict[str, str] = {}
        self._read_at = -float("inf")
        self._again_at = -float("inf")
        self._reading = asyncio.Lock()
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def verify(self, token: str) -> Principal:
        """Return who the session token speaks for; at first sight the user is mirrored.

        Raises TokenInvalid, and ClerkUnavailable when a key or a new user can't be read.
        """
        known = self._known.get(token)
        if known is not None and known[0] > time.time():
            return known[1]
        claims = await self._claims(token)
        clerk_id = str(claims.get("sub", ""))
        expires = claims.get("exp")
        if not clerk_id.startswith("user_") or not expires or claims.get("sts") == "pending":
            raise TokenInvalid(_INVALID)
        principal = await self.mirror.find(clerk_id)
        if principal is None:
            if await self.mirror.is_gone(clerk_id):
                raise TokenInvalid("This account is gone.")
            principal = await self._keep(clerk_id)
        until = min(float(expires) + self._skew_ms / 1000, time.time() + _KNOWN_SECONDS)
        self._known[token] = (until, principal)
        if len(self._known) > _KNOWN_TOKENS:
            self._known.popitem(last=False)
        return principal

    async def check_recent_login(self, token: str) -> None:
        """Raise LoginTooOld unless the person logged in, or proved it anew, minutes ago.

        A session at Clerk lasts for days: whoever finds a device open must not get it all.
        """
        age = (await self._claims(token)).get("fva")  # minutes since the first, second factor
        first = age[0] if isinstance(age, list) and age else -1
        if not isinstance(first, int) or not 0 <= first <= _RECENT_MINUTES:
            raise LoginTooOld(
                "Log out and in again first: for this, the login must be younger than "
                f"{_RECENT_MINUTES} minutes."
            )

    async def delete(self, user_id: str) -> None:
        """Delete the account at Clerk, where one is; its tokens count no more.

        Raises ClerkUnavailable.
        """
        clerk_id = await self.mirror.clerk_id_of(user_id)
        if clerk_id is None or await self.mirror.is_gone(clerk_id):
            return
        try:
            answer = await self._http.delete(f"/v1/users/{clerk_id}")
            if answer.status_code != 404:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            raise _unavailable("deleting a user", error) from error
        await self._gone(clerk_id)

    async def receive(self, body: bytes, headers: dict[str, str]) -> str | None:
        """Deal with a webhook; returns the user to remove, None when there is none.

        Users are read from Clerk anew, so order and repetition do not matter. Raises
        ClerkWebhookRefused; when it raises ClerkUnavailable, Clerk sends the webhook again.
        """
        try:
            Webhook(self._webhook_secret).verify(body, headers)
            event = json.loads(body)
            kind, clerk_id = str(event["type"]), str(event["data"]["id"])
        except (WebhookVerificationError, ValueError, KeyError, TypeError) as error:
            raise ClerkWebhookRefused("This is not a genuine, fresh webhook.") from error
        log.info("identity.webhook", kind=kind, clerk_id=clerk_id)
        if kind == "user.deleted":
            await self._gone(clerk_id)
            gone = await self.mirror.find(clerk_id)
            return gone.user_id if gone else None
        if kind in ("user.created", "user.updated") and not await self.mirror.is_gone(clerk_id):
            await self._keep(clerk_id)
            self._known.clear()
        return None

    async def _keep(self, clerk_id: str) -> Principal:
        given = await self._read_user(clerk_id)
        joined = await self.mirror.joins(clerk_id, given)
        if joined is not None:
            await self._before_join(joined)
            log.info("identity.account_joined", user_id=joined, clerk_id=clerk_id)
        return await self.mirror.keep(clerk_id, given)

    async def _gone(self, clerk_id: str) -> None:
        await self.mirror.note_gone(clerk_id)
        self._known.clear()

    async def _claims(self, token: str) -> dict[str, Any]:
        # Other kinds of tokens would be sent to Clerk to be verified there.
        if len(token) > _MAX_TOKEN or get_token_type(token) is not TokenType.SESSION_TOKEN:
            raise TokenInvalid(_INVALID)
        try:
            if self._pem:
                return self._verified(token, self._pem)
            key_id = str(jwt.get_unverified_header(token).get("kid"))
            pem = await self._key(key_id)
            try:
                return self._verified(token, pem)
            except TokenVerificationError as error:
                # Clerk's key ids name the instance: a new key may come under the old id.
                if error.reason is not TokenVerificationErrorReason.TOKEN_INVALID_SIGNATURE:
                    raise
                return self._verified(token, await self._key(key_id, not_this=pem))
        except (jwt.InvalidTokenError, TokenVerificationError, ValueError) as error:
            raise TokenInvalid(_INVALID) from error

    def _verified(self, token: str, pem: str) -> dict[str, Any]:
        return verify_token(
            token,
            VerifyTokenOptions(
                jwt_key=pem,
                authorized_parties=self._parties,
                clock_skew_in_ms=self._skew_ms,
            ),
        )

    async def _key(self, key_id: str, not_this: str | None = None) -> str:
        """Return the public key of that id; raises TokenInvalid."""
        async with self._reading:
            now = time.monotonic()
            wanting = self._keys.get(key_id) in (None, not_this)
            if now - self._read_at > _KEYS_SECONDS or (wanting and now >= self._again_at):
                try:
                    found = (await self._get("/v1/jwks"))["keys"]
                    self._keys = {str(key["kid"]): _pem_of(key) for key in found}
                    self._read_at = now
                    if self._keys.get(key_id) in (None, not_this):
                        self._again_at = now + _FRUITLESS_SECONDS
                except ClerkUnavailable:
                    if key_id not in self._keys:
                        raise
        if key_id not in self._keys:
            raise TokenInvalid(_INVALID)
        return self._keys[key_id]

    async def _read_user(self, clerk_id: str) -> Mirrored:
        user = await self._get(f"/v1/users/{clerk_id}")
        primary = user.get("primary_email_address_id")
        address: dict[str, Any] = next(
            (one for one in user.get("email_addresses") or [] if one.get("id") == primary), {}
        )
        name = " ".join(part for part in (user.get("first_name"), user.get("last_name")) if part)
        email = str(address.get("email_address") or "").lower()
        return Mirrored(
            email=email,
            email_verified=(address.get("verification") or {}).get("status") == "verified",
            name=(name or str(user.get("username") or "") or email.partition("@")[0])[:80],
        )

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(path)
            if answer.status_code == 404:
                raise TokenInvalid("This account is gone.")
            found: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise _unavailable(path, error) from error
        return found


def _unavailable(what: str, error: Exception) -> ClerkUnavailable:
    log.warning("identity.clerk_unavailable", what=what, error=str(error))
    return ClerkUnavailable("The identity provider does not answer. Try again.")


def _pem_of(key: dict[str, Any]) -> str:
    public = jwt.PyJWK(key, algorithm="RS256").key
    assert isinstance(public, RSAPublicKey)
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
