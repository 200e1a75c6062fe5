"""`growqr doctor`: what is set, what is there, and what to do about the rest."""

import asyncio
import ctypes.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from growqr.db.engine import Database, DatabaseUnavailable
from growqr.models.upstream import Upstream
from growqr.opencode.bubblewrap import trial
from growqr.opencode.container_engine import engine_socket
from growqr.opencode.refusals import advice_on
from growqr.opencode.types import SandboxUnavailable
from growqr.settings import (
    BackingService,
    BillingSettings,
    GitSettings,
    IdentitySettings,
    Settings,
    variables,
)

_PATIENCE_SECONDS = 3


@dataclass(frozen=True)
class Finding:
    """One checked part. `wrong` stops the platform, `limited` only a part of it."""

    part: str
    state: Literal["ok", "limited", "wrong"]
    found: str
    advice: str = ""


def examine(
    settings: Settings, *, engine: Callable[[], Path], opencode: Callable[[], Path]
) -> Iterator[Finding]:
    """Check one part after another; `engine` and `opencode` find those executables."""
    yield _data_folder(settings.data_dir)
    yield _database(settings)
    if settings.rivet.endpoint:
        yield _engine_address(settings.rivet.endpoint)
    else:
        yield _executable("Rivet Engine", engine)
    yield _executable("OpenCode", opencode)
    yield _program("git", "git", "needed for clone and push", wrong=True)
    yield _program("ripgrep", "rg", "OpenCode's search tools need it", wrong=False)
    yield (
        _container(settings.sandbox.engine)
        if settings.sandbox.runtime == "container"
        else _bubblewrap(settings.sandbox.first_uid)
    )
    yield _forge(settings.git)
    yield _model(settings)
    yield _identity(settings.identity)
    for service in settings.services:
        yield _service(service)
    yield _billing(settings.billing)


def values_set(settings: Settings) -> Iterator[tuple[str, str]]:
    """Give the settings that the environment changes, as (variable, value); secrets as dots."""
    for name in sorted(set(variables()) & {name.upper() for name in os.environ}):
        value = _value(settings, name)
        if isinstance(value, SecretStr):
            shown = "••••••" if value.get_secret_value() else "(empty)"
        elif name.endswith("DATABASE_URL") and value:
            shown = make_url(str(value)).render_as_string(hide_password=True)
        else:
            shown = _without_login(str(value))
        yield name, shown


def _without_login(text: str) -> str:
    """The text without what stands before an `@` in its addresses."""
    return re.sub(r"(?<=//)[^/@\s]+(?=@)", "••••••", text)


def _value(settings: Settings, variable: str) -> object:
    value: object = settings
    for part in variable.lower().removeprefix("growqr_").split("__"):
        value = getattr(value, part)
    return value


def _data_folder(folder: Path) -> Finding:
    where = folder.resolve()
    parent = next(path for path in (where, *where.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        return Finding(
            "data folder",
            "wrong",
            f"can't write `{parent}`",
            "set GROWQR_DATA_DIR to a folder you own",
        )
    free = shutil.disk_usage(parent).free / 1024**3
    if free < 1:
        return Finding(
            "data folder", "limited", f"`{where}`, {free:.1f} GB free", "free some space"
        )
    return Finding("data folder", "ok", f"`{where}`, {free:.0f} GB free")


def _database(settings: Settings) -> Finding:
    url = make_url(settings.db_url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        return Finding("database", "ok", shown)  # made when it is missing
    try:
        asyncio.run(_ask_database(settings.db_url))
    except (DatabaseUnavailable, TimeoutError) as error:
        why = f"{shown} does not answer: {error.__cause__ or 'it takes too long'}"
        return Finding("database", "wrong", why, "start it, or correct GROWQR_DATABASE_URL")
    return Finding("database", "ok", shown)


async def _ask_database(url: str) -> None:
    db = Database(url)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await db.ping()
    finally:
        await db.aclose()


def _engine_address(endpoint: str) -> Finding:
    try:
        answer = httpx.get(f"{endpoint.rstrip('/')}/health", timeout=3).raise_for_status().json()
        found = f"{_without_login(endpoint)}, version {answer.get('version')}"
        return Finding("Rivet Engine", "ok", found)
    except (httpx.HTTPError, ValueError) as error:
        return Finding(
            "Rivet Engine",
            "wrong",
            f"{_without_login(endpoint)} does not answer ({type(error).__name__})",
            "start it, or unset GROWQR_RIVET__ENDPOINT to run one as a child",
        )


def _service(service: BackingService) -> Finding:
    part = f"service {service.name}"
    try:
        httpx.get(service.url, timeout=3, trust_env=False)
    except httpx.HTTPError as error:
        found = f"{service.url} does not answer ({type(error).__name__})"
        return Finding(part, "limited", found, "start it, or take it out of GROWQR_SERVICES")
    return Finding(part, "ok", service.url)


def _executable(part: str, find: Callable[[], Path]) -> Finding:
    try:
        return Finding(part, "ok", str(find()))
    except Exception as error:  # each part has an error family of its own
        return Finding(part, "wrong", str(error), "run ./grow setup")


def _program(part: str, name: str, why: str, *, wrong: bool) -> Finding:
    found = shutil.which(name)
    if found:
        return Finding(part, "ok", found)
    return Finding(part, "wrong" if wrong else "limited", f"`{name}` is missing: {why}", _apt(part))


def _container(setting: str) -> Finding:
    try:
        return Finding("sandbox", "ok", f"containers through {engine_socket(setting)}")
    except SandboxUnavailable as error:
        return Finding("sandbox", "limited", "no container engine: no coding", error.detail)


def _forge(git: GitSettings) -> Finding:
    if git.provider == "embedded":
        return Finding("forge", "ok", "embedded")
    try:
        url = f"{git.gitea_url.rstrip('/')}/api/v1/version"
        version = httpx.get(url, timeout=3).raise_for_status().json()["version"]
        return Finding("forge", "ok", f"Gitea {version} at {_without_login(git.gitea_url)}")
    except (httpx.HTTPError, ValueError, KeyError) as error:
        where = _without_login(git.gitea_url)
        why = f"{where} does not answer as Gitea ({type(error).__name__})"
        return Finding("forge", "wrong", why, "start it, or correct GROWQR_GIT__GITEA_URL")


def _bubblewrap(uid: int) -> Finding:
    bwrap = shutil.which("bwrap")
    if not bwrap:
        return Finding("sandbox", "limited", "`bwrap` is missing: no coding", _apt("bubblewrap"))
    if not ctypes.util.find_library("seccomp"):
        return Finding(
            "sandbox", "limited", "libseccomp is missing: no coding", _apt("libseccomp2")
        )
    tried = subprocess.run(trial(uid), capture_output=True, text=True, timeout=10, check=False)
    if tried.returncode != 0:
        said = tried.stderr.strip()
        return Finding(
            "sandbox", "limited", f"no sandbox can be made: {said[:200]}", advice_on(said)
        )
    if os.getuid() != 0:
        return Finding(
            "sandbox", "ok", f"{bwrap}; not root, so every sandbox runs under your own user id"
        )
    return Finding("sandbox", "ok", f"{bwrap}; each sandbox gets a user id of its own")


def _model(settings: Settings) -> Finding:
    model = settings.model
    if model.provider == "offline":
        return Finding(
            "model",
            "limited",
            "offline: a deterministic stand-in to try the machine",
            "set GROWQR_MODEL__PROVIDER, GROWQR_MODEL__NAME and GROWQR_MODEL__API_KEY",
        )
    named = f"{model.provider} {model.name}"
    return _outside("model", named, Upstream(model).base_url, "GROWQR_MODEL__BASE_URL")


def _outside(part: str, named: str, url: str, variable: str) -> Finding:
    """Whether somebody else's server answers, whatever it says: what is asked needs a key."""
    found = f"{named} at {_without_login(url)}"
    try:
        httpx.get(url, timeout=_PATIENCE_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = f"{found} does not answer ({type(error).__name__})"
        return Finding(part, "limited", why, f"let this host reach it, or correct {variable}")
    return Finding(part, "ok", found)


def _identity(identity: IdentitySettings) -> Finding:
    if identity.provider == "local":
        return Finding("identity", "ok", "local")
    return _outside("identity", "clerk", identity.clerk_api_url, "GROWQR_IDENTITY__CLERK_API_URL")


def _billing(billing: BillingSettings) -> Finding:
    if billing.provider == "none":
        return Finding("billing", "ok", "self-hosted, no billing")
    return _outside("billing", "stripe", billing.stripe_api_base, "GROWQR_BILLING__STRIPE_API_BASE")


def _apt(package: str) -> str:
    return f"sudo apt-get install {package}"
