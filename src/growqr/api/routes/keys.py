"""The public keys with which others verify our tokens."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from growqr.api.deps import ServicesDep
from growqr.identity.keys import KEEP_SECONDS

router = APIRouter(tags=["auth"])


class KeySetOut(BaseModel):
    """A JSON Web Key Set (RFC 7517): the keys that sign, will sign or have signed our tokens."""

    keys: list[dict[str, Any]]


@router.get("/.well-known/jwks.json")
async def get_key_set(services: ServicesDep, response: Response) -> KeySetOut:
    """The keys of this installation. Read them again when a token names one you don't know."""
    response.headers["cache-control"] = f"public, max-age={KEEP_SECONDS}"
    return KeySetOut.model_validate(services.tokens.keys.published())
