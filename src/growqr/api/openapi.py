"""The OpenAPI document: clean operation ids, and the problems each operation may answer with."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from growqr.api.problems import MEDIA_TYPE, Problem

_REF = {"$ref": "#/components/schemas/Problem"}

_PROBLEMS = {
    "400": "The request can't be understood",
    "401": "Not logged in",
    "402": "The plan does not allow it",
    "404": "There is no such thing, or it is not yours",
    "409": "The current state does not allow it",
    "413": "Too large",
    "415": "The body is not JSON",
    "422": "The request is not valid",
    "429": "Too often, or too many",
    "503": "A part does not answer now; try again",
}


def operation_id(route: APIRoute) -> str:
    """The name of the route's function: short, and unique among ours (a test checks it)."""
    return route.name


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` return our document, built once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components["Problem"] = Problem.model_json_schema()
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            for status in _statuses(path, method, operation):
                operation["responses"][status] = {
                    "description": _PROBLEMS[status],
                    "content": {MEDIA_TYPE: {"schema": _REF}},
                }
    return schema


def _statuses(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    """Which problems fit an operation, told by what it takes."""
    found = ["503"]
    if "security" in operation:
        found += ["401", "404"]
    if operation.get("parameters") or "requestBody" in operation:
        found += ["400", "422"]
    if method != "get":
        found += ["409", "413", "415", "429"]
    if method != "get" and path.endswith(("/start", "/message", "/messages")):
        found.append("402")
    if path.startswith("/auth/"):
        found.append("401")
    return sorted(set(found))
