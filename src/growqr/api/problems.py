"""Every error as `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from growqr.errors import GrowError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong. Programs go by `code`; `detail` is for people."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not found",
                "status": 404,
                "code": "not_found",
                "detail": "There is no such thing, or it is not yours.",
                "request_id": "req_01kdq3m8w2v6x0c5t9r7n4j1hb",
            }
        },
    )

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None = None


_STATUS_CODES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_input", "The request can't be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("too_large", "The request is larger than this server takes."),
    415: ("unsupported_media_type", "Send the body as `application/json`."),
}


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> JSONResponse:
    """Return the response for one error."""
    content = {
        **extra,
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if request_id is not None:
        content["request_id"] = request_id
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def problem_of_status(status: int, **more: Any) -> JSONResponse:
    """Return the problem for an error that has a status and nothing else to say."""
    title = HTTPStatus(status).phrase
    code, detail = _STATUS_CODES.get(status, ("http_error", title))
    return problem(status, code, title, detail, **more)


def install_problem_handlers(app: FastAPI) -> None:
    """Render every error that a route raises."""
    app.add_exception_handler(GrowError, _grow_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(UnicodeEncodeError, _not_text)
    app.add_exception_handler(Exception, _uncaught)


async def _grow_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GrowError)
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retryable:
        headers["Retry-After"] = str(error.extra.get("retry_after", 1))
    if error.status >= 500:
        log.warning("request.failed", code=error.code, exc_info=error)
    return problem(
        error.status,
        error.code,
        error.title,
        error.detail,
        request_id=_request_id(request),
        headers=headers,
        **error.extra,
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return problem(
            400,
            "invalid_json",
            "The request is not valid",
            "The body is not JSON.",
            request_id=_request_id(request),
        )
    # `input` and `ctx` are left out: they may hold a password.
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"]}
        for one in found[:20]
    ]
    first = errors[0] if errors else {"field": "", "message": "not valid"}
    return problem(
        422,
        "invalid_input",
        "The request is not valid",
        f"{first['field']}: {first['message']}",
        request_id=_request_id(request),
        errors=errors,
    )


async def _not_text(request: Request, error: Exception) -> Response:
    """JSON can spell half a character (a lone surrogate), which nothing can store."""
    return problem(
        422,
        "invalid_input",
        "The request is not valid",
        "The request holds text that is not Unicode.",
        request_id=_request_id(request),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_of_status(
        error.status_code, request_id=_request_id(request), headers=error.headers
    )


async def _uncaught(request: Request, error: Exception) -> Response:
    # Starlette logs the error with its traceback after this answer.
    return problem(
        500,
        "internal_error",
        "Something went wrong on our side",
        "It has been logged. Quote `request_id` when you report it.",
        request_id=_request_id(request),
    )


def _request_id(request: Request) -> str | None:
    found = request.scope.get("state", {}).get("request_id")
    return found if isinstance(found, str) else None
