"""Local identity: register, log in, stay logged in."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from growqr.api.departure import leave
from growqr.api.deps import CurrentUser, Id, ServicesDep
from growqr.api.export_folder import Export
from growqr.api.services import Services
from growqr.errors import NotFound
from growqr.identity.accounts import Login
from growqr.identity.principal import Principal

router = APIRouter(prefix="/auth", tags=["auth"])

_Email = Annotated[str, Field(max_length=254, examples=["ada@example.org"])]
_Password = Annotated[
    str, Field(min_length=10, max_length=256, examples=["correct horse battery staple"])
]
_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=80),
    Field(pattern=r"^[^\x00-\x1f\x7f]+$", examples=["Ada Lovelace"]),
]
_RefreshToken = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


_PasswordNow = Annotated[str | None, Field(min_length=1, max_length=256)]


class UserOut(BaseModel):
    """A person."""

    id: str
    email: str
    name: str

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "usr_01kdq3m8w2v6x0c5t9r7n4j1hb",
                "email": "ada@example.org",
                "name": "Ada Lovelace",
            }
        }
    )

    @classmethod
    def of(cls, principal: Principal) -> "UserOut":
        return cls(id=principal.user_id, email=principal.email, name=principal.name)


class LoginOut(BaseModel):
    """Send `token` as a bearer token; exchange `refresh_token` before `expires_at`."""

    user: UserOut
    token: str
    refresh_token: str
    expires_at: datetime

    @classmethod
    def of(cls, login: Login) -> "LoginOut":
        return cls(
            user=UserOut.of(login.user),
            token=login.token,
            refresh_token=login.refresh_token,
            expires_at=login.expires_at,
        )


class RegisterIn(BaseModel):
    """A new account."""

    email: _Email
    password: _Password
    name: _Name


class LoginIn(BaseModel):
    """An account's address and password."""

    email: _Email
    password: Annotated[str, Field(min_length=1, max_length=256)]


class RefreshIn(BaseModel):
    """The newest refresh token; it works once."""

    refresh_token: _RefreshToken


class LogoutIn(RefreshIn):
    """A refresh token of the login that ends."""

    everywhere: bool = Field(False, description="End all of the user's other logins, too.")


class PasswordIn(BaseModel):
    """The password now, and the one from now on."""

    current: Annotated[str, Field(min_length=1, max_length=256)]
    new: _Password


class DeleteIn(BaseModel):
    """What becomes of the repositories; with local accounts the password, see ExportIn."""

    password: _PasswordNow = None
    repositories: Literal["erase", "export"] = Field(
        "erase", description="`export`: first write everything to a file to take along."
    )


class ExportIn(BaseModel):
    """With local accounts the password, so that a lost token is not enough.

    With Clerk the login must be of the last ten minutes: 403 `login_too_old` otherwise.
    """

    password: _PasswordNow = None


class ExportOut(BaseModel):
    """A zip file; whoever knows the address can fetch it until then."""

    url: str
    bytes: int
    sha256: str
    expires_at: datetime

    @classmethod
    def of(cls, made: Export, base_url: str) -> "ExportOut":
        return cls(
            url=f"{base_url}/auth/exports/{made.name}",
            bytes=made.size,
            sha256=made.sha256,
            expires_at=made.expires_at,
        )


class GoodbyeOut(BaseModel):
    """The account is gone; this is left for some days."""

    export: ExportOut


async def _local(services: ServicesDep) -> Services:
    if services.clerk is not None:
        raise NotFound("Accounts are at Clerk: log in there.")
    return services


LocalServices = Annotated[Services, Depends(_local)]
"""The services, where accounts are local; 404 otherwise."""


@router.post("/register", status_code=201)
async def register(body: RegisterIn, request: Request, services: LocalServices) -> LoginOut:
    """Make an account and log in."""
    login = await services.accounts.register(
        email=body.email, password=body.password, name=body.name, address=_address(request)
    )
    return LoginOut.of(login)


@router.post("/login")
async def login(body: LoginIn, request: Request, services: LocalServices) -> LoginOut:
    """Log in with address and password."""
    login = await services.accounts.login(
        email=body.email, password=body.password, address=_address(request)
    )
    return LoginOut.of(login)


@router.post("/refresh")
async def refresh(body: RefreshIn, services: LocalServices) -> LoginOut:
    """Exchange a refresh token for new tokens."""
    return LoginOut.of(await services.accounts.refresh(body.refresh_token))


@router.post("/logout", status_code=204)
async def logout(body: LogoutIn, services: LocalServices) -> Response:
    """Make the refresh tokens of this login, or of all, useless."""
    await services.accounts.logout(body.refresh_token, everywhere=body.everywhere)
    return Response(status_code=204)


@router.get("/me")
async def get_me(user: CurrentUser) -> UserOut:
    """Who the token speaks for."""
    return UserOut.of(user)


@router.post("/password")
async def change_password(
    body: PasswordIn, user: CurrentUser, request: Request, services: LocalServices
) -> LoginOut:
    """Set a new password; every other login of the account ends."""
    login = await services.accounts.change_password(
        user.user_id, current=body.current, new=body.new, address=_address(request)
    )
    return LoginOut.of(login)


@router.post("/export", status_code=201)
async def export_account(
    body: ExportIn, user: CurrentUser, request: Request, services: ServicesDep, response: Response
) -> ExportOut:
    """Write everything of the user to a file: repositories, messages, tasks, account.

    The address works for some days, also when the account is gone by then.
    """
    await _prove(services, user, body.password, request)
    response.headers["cache-control"] = "no-store"
    made = await services.exports.make_on_request(user.user_id)
    return ExportOut.of(made, services.settings.base_url)


@router.get("/exports/{name}", response_class=FileResponse)
async def get_export(name: Id, services: ServicesDep) -> FileResponse:
    """The file of an export."""
    return FileResponse(
        services.exports.folder.find(name),
        media_type="application/zip",
        filename="growqr-export.zip",
        headers={"cache-control": "private, no-store"},
    )


@router.post(
    "/delete",
    status_code=204,
    responses={200: {"model": GoodbyeOut, "description": "With `repositories: export`."}},
)
async def delete_account(
    body: DeleteIn, user: CurrentUser, request: Request, services: ServicesDep
) -> Response:
    """Erase the account and everything of it, at Clerk, too, if it is there.

    With `export`, first write it all to a file; nothing is erased when that can't be done.
    """
    await _prove(services, user, body.password, request)
    left = await leave(services, user.user_id, export=body.repositories == "export")
    if left is None:
        return Response(status_code=204)
    out = GoodbyeOut(export=ExportOut.of(left, services.settings.base_url))
    return JSONResponse(out.model_dump(mode="json"), headers={"cache-control": "no-store"})


@router.post("/webhooks/clerk", status_code=204, include_in_schema=False)
async def receive_clerk(request: Request, services: ServicesDep) -> Response:
    """Clerk says that a user was made, changed or deleted."""
    if services.clerk is None:
        raise NotFound("There is nothing at this address.")
    gone = await services.clerk.receive(await request.body(), dict(request.headers))
    if gone is not None:
        await leave(services, gone, export=services.settings.identity.clerk_deleted == "export")
    return Response(status_code=204)


async def _prove(
    services: Services, user: Principal, password: str | None, request: Request
) -> None:
    """Ask for more than a token, which may have been lost."""
    if services.clerk is not None:
        token = request.headers["authorization"].partition(" ")[2]
        await services.clerk.check_recent_login(token)
    else:
        await services.accounts.check_password(
            user.user_id, password or "", address=_address(request)
        )


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
