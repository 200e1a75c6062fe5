"""The public keys with which others verify our tokens."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from growqr.api.deps import ServicesDep

router = APIRouter(tags=["auth"])


class KeySetOut(BaseModel):
    """A JSON Web Key Set (RFC 7517); the first key signs, the others only verify still."""

    keys: list[dict[str, Any]]


@router.get("/.well-known/jwks.json")
async def get_key_set(services: ServicesDep, response: Response) -> KeySetOut:
    """The keys of this installation. Read them again when a token names one you don't know."""
    response.headers["cache-control"] = "public, max-age=300"
    return KeySetOut.model_validate(services.tokens.keys.published())
