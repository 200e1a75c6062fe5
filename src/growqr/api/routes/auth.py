"""Local identity: register, log in, stay logged in."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from growqr.api.deps import CurrentUser, ServicesDep
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


@router.post("/register", status_code=201)
async def register(body: RegisterIn, request: Request, services: ServicesDep) -> LoginOut:
    """Make an account and log in."""
    login = await services.accounts.register(
        email=body.email, password=body.password, name=body.name, address=_address(request)
    )
    return LoginOut.of(login)


@router.post("/login")
async def login(body: LoginIn, request: Request, services: ServicesDep) -> LoginOut:
    """Log in with address and password."""
    login = await services.accounts.login(
        email=body.email, password=body.password, address=_address(request)
    )
    return LoginOut.of(login)


@router.post("/refresh")
async def refresh(body: RefreshIn, services: ServicesDep) -> LoginOut:
    """Exchange a refresh token for new tokens."""
    return LoginOut.of(await services.accounts.refresh(body.refresh_token))


@router.post("/logout", status_code=204)
async def logout(body: RefreshIn, services: ServicesDep) -> Response:
    """Make the refresh tokens of this login useless."""
    await services.accounts.logout(body.refresh_token)
    return Response(status_code=204)


@router.get("/me")
async def get_me(user: CurrentUser) -> UserOut:
    """Who the token speaks for."""
    return UserOut.of(user)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
