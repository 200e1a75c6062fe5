"""Clerk as a browser sees it: its real scripts, and an imitation of the API that they speak to.

The scripts are those of the npm packages `@clerk/clerk-js` and `@clerk/ui` (`./grow test` gets
them), which Clerk's own servers would give. The Frontend API behind them is the least that a
development instance with passwords answers; its session tokens are those of `ClerkServer`.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from playwright.sync_api import Page, Request, Route

from tests.support.clerk_server import FRONTEND, ClerkServer, Json

PASSWORD = "correct horse battery"
_PACKAGES = Path(__file__).parents[1] / "e2e/clerk/node_modules/@clerk"
_SCRIPT = re.compile(r"/npm/@clerk/(clerk-js|ui)@[^/]+/dist/([^/]+\.js)")
_NEVER = 4_102_444_800_000
_LONG_AGO = 1_700_000_000_000


@dataclass
class ClerkFrontend:
    """One browser at Clerk: at most one sign-in under way, and one session.

    `login_age` is how many minutes ago the person logged in, `lifetime` that of a token in seconds
    (60 at Clerk), `unknown` what Clerk's scripts asked for in vain.
    """

    clerk: ClerkServer
    origin: str
    login_age: int = 0
    lifetime: int = 60
    unknown: list[str] = field(default_factory=list)
    _user: str | None = None
    _signing_in: str | None = None

    def sign_out_elsewhere(self) -> None:
        """End the session, as its person can at Clerk."""
        self._user = None

    def serve(self, page: Page) -> None:
        """Answer what the page asks Clerk's host, and nothing else."""
        assert _PACKAGES.is_dir(), "no scripts of Clerk: run ./grow test, which gets them"
        page.route(f"https://{FRONTEND}/**", self._handle)

    @property
    def signed_in(self) -> bool:
        return self._user in self.clerk.users

    def _handle(self, route: Route, request: Request) -> None:
        address = urlsplit(request.url)
        if script := _SCRIPT.fullmatch(address.path):
            body = (_PACKAGES / script[1] / "dist" / script[2]).read_bytes()
            route.fulfill(body=body, content_type="text/javascript", headers=self._cors())
            return
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        form = {name: values[0] for name, values in parse_qs(request.post_data or "").items()}
        method = query.get("_method", request.method)
        answer = self._answer(method, address.path.removeprefix("/v1"), form)
        status = 422 if "errors" in answer else 200
        route.fulfill(status=status, json=answer, headers=self._cors())

    def _cors(self) -> dict[str, str]:
        return {
            "access-control-allow-origin": self.origin,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "authorization",
        }

    def _answer(self, method: str, path: str, form: dict[str, str]) -> Json:
        match method, path.strip("/").split("/"):
            case "POST", ["dev_browser"]:
                return {"id": "dvb_1", "object": "dev_browser"}
            case "GET" | "PATCH", ["environment"]:
                return _environment()
            case "GET", ["client"]:
                return self._both(self._client())
            case "POST", ["client", "sign_ins"]:
                self._signing_in = self._find(form.get("identifier", ""))
                if self._signing_in is None:
                    return _error("form_identifier_not_found", "identifier")
                if "password" in form:
                    return self._check(form["password"])
                return self._both(self._sign_in("needs_first_factor"))
            case "POST", ["client", "sign_ins", _, "attempt_first_factor"]:
                return self._check(form["password"])
            case "POST", ["client", "sessions", _, "touch"]:
                return self._both(self._session())
            case "POST", ["client", "sessions", _, "tokens"]:
                return self._token()
            case ("DELETE", ["client", "sessions"]) | ("POST", ["client", "sessions", _, "remove"]):
                self._user = None
                return self._both(self._client())
            case _:
                self.unknown.append(f"{method} {path}")
                return _error("resource_not_found", "")

    def _both(self, response: Json) -> Json:
        return {"response": response, "client": self._client()}

    def _find(self, address: str) -> str | None:
        for user in self.clerk.users.values():
            if user["email_addresses"][0]["email_address"] == address:
                return str(user["id"])
        return None

    def _check(self, password: str) -> Json:
        if password != PASSWORD:
            return _error("form_password_incorrect", "password")
        self._user, self._signing_in = self._signing_in, None
        return self._both(self._sign_in("complete"))

    def _client(self) -> Json:
        session = self._session()
        return {
            "object": "client",
            "id": "client_1",
            "sessions": [session] if session else [],
            "sign_in": self._sign_in("needs_first_factor") if self._signing_in else None,
            "sign_up": None,
            "last_active_session_id": session.get("id"),
            "last_authentication_strategy": None,
            "cookie_expires_at": None,
            "captcha_bypass": False,
            "created_at": _LONG_AGO,
            "updated_at": _LONG_AGO,
        }

    def _sign_in(self, status: str) -> Json:
        return {
            "object": "sign_in",
            "id": "sia_1",
            "status": status,
            "supported_identifiers": ["email_address"],
            "supported_first_factors": [{"strategy": "password"}],
            "supported_second_factors": [],
            "first_factor_verification": None,
            "second_factor_verification": None,
            "identifier": "",
            "user_data": None,
            "created_session_id": "sess_1" if status == "complete" else None,
        }

    def _session(self) -> Json:
        if self._user is None or self._user not in self.clerk.users:
            return {}
        return {
            "object": "session",
            "id": "sess_1",
            "status": "active",
            "factor_verification_age": [self.login_age, -1],
            "expire_at": _NEVER,
            "abandon_at": _NEVER,
            "last_active_at": _LONG_AGO,
            "last_active_token": self._token(),
            "last_active_organization_id": None,
            "actor": None,
            "tasks": None,
            "user": _shown(self.clerk.users[self._user]),
            "public_user_data": {"identifier": "", "user_id": self._user},
            "created_at": _LONG_AGO,
            "updated_at": _LONG_AGO,
        }

    def _token(self) -> Json:
        assert self._user is not None
        claims: Json = {
            "azp": self.origin,
            "sid": "sess_1",
            "fva": [self.login_age, -1],
            "exp": int(time.time()) + self.lifetime,
        }
        return {"object": "token", "jwt": self.clerk.token(self._user, **claims)}


def _shown(user: Json) -> Json:
    lists = (
        "phone_numbers web3_wallets external_accounts enterprise_accounts passkeys "
        "organization_memberships"
    )
    return {
        "object": "user",
        "image_url": "",
        "has_image": False,
        "password_enabled": True,
        "public_metadata": {},
        "unsafe_metadata": {},
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
        **{name: [] for name in lists.split()},
        **user,
    }


def _error(code: str, field: str) -> Json:
    meta = {"param_name": field}
    return {"errors": [{"code": code, "message": code, "long_message": code, "meta": meta}]}


def _environment() -> Json:
    """A development instance on which people have an address and a password."""
    off = {
        "enabled": False,
        "required": False,
        "used_for_first_factor": False,
        "first_factors": [],
        "used_for_second_factor": False,
        "second_factors": [],
        "verifications": [],
        "verify_at_sign_up": False,
    }
    on = {**off, "enabled": True, "required": True}
    names = (
        "phone_number username web3_wallet first_name last_name authenticator_app backup_code "
        "passkey ticket"
    )
    attributes = {name: {**off, "name": name} for name in names.split()}
    attributes["email_address"] = {**on, "name": "email_address", "used_for_first_factor": True}
    attributes["password"] = {**on, "name": "password"}
    return {
        "object": "environment",
        "id": "env_1",
        "maintenance_mode": False,
        "auth_config": {
            "object": "auth_config",
            "id": "aacfg_1",
            "single_session_mode": True,
            "claimed_at": None,
            "reverification": True,
        },
        "display_config": {
            "object": "display_config",
            "id": "display_config_1",
            "instance_environment_type": "development",
            "application_name": "GrowQR",
            "preferred_sign_in_strategy": "password",
            "theme": {"buttons": {}, "general": {}, "accounts": {}},
            "branded": False,
            "captcha_public_key": None,
            "show_devmode_warning": False,
        },
        "user_settings": {
            "attributes": attributes,
            "actions": {"delete_self": True, "create_organization": False},
            "social": {},
            "enterprise_sso": {"enabled": False},
            "sign_in": {"second_factor": {"required": False}},
            "sign_up": {"captcha_enabled": False, "mode": "public", "progressive": True},
            "password_settings": {"min_length": 8, "max_length": 72},
            "passkey_settings": {"allow_autofill": False, "show_sign_in_button": False},
            "username_settings": {"min_length": 4, "max_length": 64},
        },
        "organization_settings": {
            "enabled": False,
            "actions": {"admin_delete": False},
            "domains": {"enabled": False, "enrollment_modes": [], "default_role": None},
        },
    }


def claims_of(token: str) -> Json:
    """Return what a token says, unverified."""
    return dict(jwt.decode(token, options={"verify_signature": False}))
