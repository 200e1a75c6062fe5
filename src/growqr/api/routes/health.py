"""For people and programs that run the platform, and what the web app needs to know first."""

import httpx
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from growqr import __version__
from growqr.api.deps import ServicesDep
from growqr.errors import Unavailable

router = APIRouter(tags=["operations"])


class EngineUnavailable(Unavailable):
    """The actor engine does not answer."""

    code = "engine_unavailable"


class HealthOut(BaseModel):
    """Fine; anything else is a problem document."""

    status: str = "ok"


class ModelOut(BaseModel):
    """The language model in use."""

    provider: str
    name: str
    offline: bool


class ConfigOut(BaseModel):
    """What is configured, as far as everybody may know."""

    model: ModelOut
    identity: str
    clerk_publishable_key: str | None = None
    billing: str
    version: str
    message_chars: int


@router.get("/healthz")
async def get_health() -> HealthOut:
    """Whether the process runs."""
    return HealthOut()


@router.get("/readyz")
async def get_readiness(services: ServicesDep) -> HealthOut:
    """Whether the process can serve: database and actor engine answer. 503 otherwise."""
    await services.db.ping()
    endpoint = services.engine_endpoint.rstrip("/")
    # Reading the certificate store blocks for 20 ms and takes 0.8 MB: not for plain HTTP.
    secure = endpoint.startswith("https")
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False, verify=secure) as client:
            answer = await client.get(f"{endpoint}/health")
            answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EngineUnavailable("The actor engine does not answer.") from error
    return HealthOut()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(request: Request) -> Response:
    """Counts and times in Prometheus' text format."""
    text = generate_latest(request.app.state.metrics)
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})


@router.get("/config")
async def get_config(services: ServicesDep) -> ConfigOut:
    """How this installation is set up; holds no secret."""
    settings = services.settings
    offline = settings.model.provider == "offline"
    return ConfigOut(
        model=ModelOut(
            provider=settings.model.provider,
            name=settings.model.name or ("offline" if offline else ""),
            offline=offline,
        ),
        identity=settings.identity.provider,
        clerk_publishable_key=settings.identity.clerk_publishable_key or None,
        billing=settings.billing.provider,
        version=__version__,
        message_chars=settings.limits.message_chars,
    )
