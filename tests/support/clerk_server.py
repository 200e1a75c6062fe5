"""A Clerk-like server on loopback: a key set that rotates, users, session tokens, webhooks."""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from svix.webhooks import Webhook

from growqr.db.engine import Database
from growqr.identity.clerk import ClerkIdentity
from growqr.settings import IdentitySettings
from tests.support.stripe_server import serve

Json = dict[str, Any]

SECRET_KEY = "sk_test_clerk"
WEBHOOK_SECRET = "whsec_Z3Jvd3FyLXRlc3Qtc2VjcmV0LWZvci1jbGVyaw=="
ORIGIN = "http://grow.test"
FRONTEND = "clerk.grow.test"
"""The host that the publishable key names: Clerk's, for browsers."""
PUBLISHABLE_KEY = f"pk_test_{b64encode(f'{FRONTEND}$'.encode()).decode()}"


def new_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@dataclass
class ClerkServer:
    """Its users and its signing key; `rotate` changes the key under the same or another id.

    `on_delete` is called, in another thread, when a user is deleted through the API.
    """

    url: str = ""
    on_delete: Callable[[], None] = lambda: None
    down: bool = False
    users: dict[str, Json] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    key_id: str = "ins_1"
    key: RSAPrivateKey = field(default_factory=new_key)

    def add(self, name: str, *, verified: bool = True) -> str:
        user_id = f"user_{name}"
        self.users[user_id] = {
            "id": user_id,
            "first_name": name.title(),
            "last_name": None,
            "username": None,
            "primary_email_address_id": "idn_1",
            "email_addresses": [
                {
                    "id": "idn_1",
                    "email_address": f"{name}@example.org",
                    "verification": {"status": "verified" if verified else "unverified"},
                }
            ],
        }
        return user_id

    def rotate(self, key_id: str) -> None:
        self.key_id, self.key = key_id, new_key()

    def token(self, user_id: str, *, key: RSAPrivateKey | None = None, **claims: Any) -> str:
        now = int(time.time())
        body = {
            "sub": user_id,
            "azp": ORIGIN,
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "fva": [0, -1],
        } | claims
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, key or self.key, "RS256", headers={"kid": self.key_id})

    def settings(self, **more: Any) -> IdentitySettings:
        given: Json = {
            "provider": "clerk",
            "clerk_publishable_key": PUBLISHABLE_KEY,
            "clerk_secret_key": SecretStr(SECRET_KEY),
            "clerk_webhook_secret": SecretStr(WEBHOOK_SECRET),
            "clerk_api_url": self.url,
            "clerk_authorized_parties": (ORIGIN,),
        }
        return IdentitySettings.model_validate(given | more)

    async def _answer(self, request: Request) -> Response:
        self.requests.append(request.url.path)
        if self.down:
            return JSONResponse({}, 500)
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return JSONResponse({}, 401)
        if request.url.path == "/v1/jwks":
            jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return JSONResponse({"keys": [{**jwk, "kid": self.key_id, "alg": "RS256"}]})
        user = self.users.get(request.path_params["id"])
        if request.method == "DELETE" and user:
            del self.users[user["id"]]
            self.on_delete()
            return JSONResponse({"id": user["id"], "object": "user", "deleted": True})
        return JSONResponse(user or {}, 200 if user else 404)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/jwks", self._answer),
                Route("/v1/users/{id}", self._answer, methods=["GET", "DELETE"]),
            ]
        )


def webhook(kind: str, user_id: str, *, at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a webhook as Svix signs them."""
    when = datetime.fromtimestamp(at or time.time(), UTC)
    body = json.dumps({"type": kind, "object": "event", "data": {"id": user_id}})
    headers = {
        "svix-id": f"msg_{kind}_{user_id}",
        "svix-timestamp": str(int(when.timestamp())),
        "svix-signature": Webhook(WEBHOOK_SECRET).sign(f"msg_{kind}_{user_id}", when, body),
        "content-type": "application/json",
    }
    return body.encode(), headers


@contextmanager
def clerk_server() -> Iterator[ClerkServer]:
    """Run one on a free port, in a thread."""
    state = ClerkServer()
    with serve(state.app()) as url:
        state.url = url
        yield state


def clerk_identity(settings: IdentitySettings, db: Database) -> ClerkIdentity:
    """Return our side of it, for an installation without repositories."""
    return ClerkIdentity(settings, db, ORIGIN, before_join=_nothing_to_end)


async def _nothing_to_end(_: str) -> None:
    pass
