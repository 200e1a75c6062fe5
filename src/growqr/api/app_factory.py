"""The HTTP application: routers, middleware, error handlers, clone and push, the web app."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from growqr import __version__
from growqr.api.limits import BodyLimits
from growqr.api.observe import Observe, clerk_policy
from growqr.api.openapi import install_openapi, operation_id
from growqr.api.problems import install_problem_handlers
from growqr.api.routes import (
    actors,
    auth,
    billing,
    channels,
    git,
    health,
    keys,
    memory,
    opencode,
    quests,
    tasks,
)
from growqr.api.services import Services
from growqr.api.web import mount_web_app
from growqr.settings import Limits

_DESCRIPTION = """One durable Grow Agent per person: it remembers in Git, delegates, and codes in
a sandbox. Errors are `application/problem+json` with a stable `code`. Somebody else's thing
answers 404, exactly like a missing one."""


def create_api(
    services: Services | None, *, static_dir: Path | None = None, git_app: ASGIApp | None = None
) -> FastAPI:
    """Return the application; it opens and closes nothing: who made `services` does.

    Without `services` it can't answer requests, but its OpenAPI document is whole.

    `static_dir` is the folder of the built web app, None when there is none. `git_app` serves
    clone and push below `/git/{repo_id}/{name}.git/`.
    """
    app = FastAPI(
        title="GrowQR",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.metrics = CollectorRegistry()
    install_problem_handlers(app)
    install_openapi(app)
    if git_app is not None:
        app.mount("/git/{repo_id}/{name}.git", git_app)
    for part in (
        auth,
        actors,
        channels,
        tasks,
        quests,
        memory,
        opencode,
        git,
        billing,
        health,
        keys,
    ):
        app.include_router(part.router)
    app.get("/docs", include_in_schema=False)(_reference)
    mount_web_app(app, static_dir)
    limits = services.settings.limits if services is not None else Limits()
    app.add_middleware(BodyLimits, max_bytes=limits.body_bytes)
    policy = None
    if services is not None and services.clerk is not None:
        policy = clerk_policy(services.settings.identity.clerk_publishable_key)
    app.add_middleware(Observe, registry=app.state.metrics, policy=policy)
    return app


async def _reference() -> HTMLResponse:
    """The API reference; its viewer is part of the web app's build."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="GrowQR API",
        swagger_js_url="/assets/docs/swagger-ui-bundle.js",
        swagger_css_url="/assets/docs/swagger-ui.css",
        swagger_favicon_url="/assets/favicon.svg",
    )
