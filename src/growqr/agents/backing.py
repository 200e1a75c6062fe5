"""Bounded calls of the operator's own programs, each with a short-lived token for that one call.

What may be called, how long and how large a call may be is set by the operator
(`GROWQR_SERVICES`); which services an agent may call is a capability, `service.call:NAME`.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import httpx
import structlog

from growqr.errors import Forbidden, GrowError, InvalidInput, NotFound, TooLarge, Unavailable
from growqr.identity.tokens import TokenService
from growqr.settings import BackingService, ServiceOperation

TRIES = 3
_IDEMPOTENT = ("GET", "PUT", "DELETE")
_WITH_BODY = ("POST", "PUT", "PATCH")
_AWAY = (502, 503, 504)
_PAUSE_SECONDS = 0.2
_ERROR_CHARS = 500
MAY_CALL = "service.call:"

log = structlog.get_logger(__name__)


class ServiceRefused(GrowError):
    """The service answered that this can't be done; `answered` is its status."""

    code = "service.refused"
    status = 502
    title = "The service refused"


class ServiceUnavailable(Unavailable):
    """The service does not answer, or not in time."""

    code = "service.unavailable"


class AnswerTooLarge(TooLarge):
    """The service answered with more than it may."""

    code = "service.answer_too_large"


@dataclass(frozen=True)
class Caller:
    """The agent that calls, and whose it is."""

    user_id: str
    actor_id: str
    capabilities: frozenset[str]


class BackingServices:
    """Calls the services in the settings, and nothing else."""

    def __init__(self, services: Sequence[BackingService], tokens: TokenService) -> None:
        self.services = services
        self._tokens = tokens
        self._http = httpx.AsyncClient(
            follow_redirects=False,  # another host would get the token
            trust_env=False,
            # the certificate store takes 0.8 MB and 20 ms of the start
            verify=any(service.url.startswith("https") for service in services),
            limits=httpx.Limits(max_connections=50),
            # a small answer must not unfold into a large one
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        caller: Caller,
        service: str,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
    ) -> Any:
        """Return what the service answers, as JSON.

        Arguments that the path names go there; the others are the JSON body, or the query where
        a method has no body. `key` goes along as `Idempotency-Key`. A try that can't have had an
        effect, or may be repeated by its method, is made up to three times.

        Raises:
            Forbidden, NotFound, InvalidInput, TooLarge: nothing was sent.
            ServiceRefused, AnswerTooLarge: the service had it.
            ServiceUnavailable: a POST or PATCH may have had its effect.
        """
        found = next((one for one in self.services if one.name == service), None)
        if found is None:
            raise NotFound(f"There is no service `{service[:64]}`.")
        check_may_call(caller.capabilities, found.name)
        wanted = next((one for one in found.operations if one.name == operation), None)
        if wanted is None:
            listed = ", ".join(one.name for one in found.operations)
            raise NotFound(f"`{found.name}` has no `{operation[:64]}`. It has: {listed}.")
        request = _Request(found, wanted, arguments, key)
        scope = f"{found.name}:{wanted.name}"
        for left in reversed(range(TRIES)):
            token = self._tokens.for_service(
                user_id=caller.user_id,
                actor_id=caller.actor_id,
                audience=found.audience or found.name,
                scope=scope,
            )
            try:
                answer = await self._try(request, token)
            except (_NotSent, _Away) as error:
                again = isinstance(error, _NotSent) or wanted.method in _IDEMPOTENT
                if not (again and left):
                    raise _unavailable(found, wanted, error) from error
                await asyncio.sleep(_PAUSE_SECONDS * 2 ** (TRIES - left))
            else:
                log.info("service.called", scope=scope, actor_id=caller.actor_id)
                return answer
        raise AssertionError("unreachable")

    async def _try(self, request: "_Request", token: str) -> Any:
        service = request.service
        headers = {"authorization": f"Bearer {token}", "idempotency-key": request.key}
        if request.body is not None:
            headers["content-type"] = "application/json"
        try:
            async with (
                asyncio.timeout(service.timeout_seconds),
                self._http.stream(
                    request.method,
                    request.url,
                    params=request.query or None,
                    content=request.body,
                    headers=headers,
                    timeout=None,
                ) as answer,
            ):
                content = await _read(answer, service.max_response_bytes)
        except httpx.ConnectError as error:
            raise _NotSent("it can't be reached") from error
        except TimeoutError as error:
            raise _Away(f"no answer in {service.timeout_seconds:g} seconds") from error
        except httpx.HTTPError as error:
            raise _Away("the connection broke") from error
        return _value(service, answer, content)


def check_may_call(capabilities: Iterable[str], service: str) -> None:
    """Raise Forbidden unless a capability such as `service.call:qscore` covers the service."""
    wanted = f"{MAY_CALL}{service}"
    if not any(held.startswith(MAY_CALL) and fnmatchcase(wanted, held) for held in capabilities):
        raise Forbidden(f"This agent may not do that: it lacks `{wanted}`.")


class _NotSent(Exception):
    """The service has not had the request."""


class _Away(Exception):
    """The service may have had the request."""


class _Request:
    """A call whose bounds have been checked."""

    def __init__(
        self,
        service: BackingService,
        operation: ServiceOperation,
        arguments: Mapping[str, Any],
        key: str,
    ) -> None:
        self.service = service
        self.method = operation.method
        self.key = key
        left = dict(arguments)
        path = "/".join(_segment(part, left) for part in operation.path.split("/"))
        self.url = f"{service.url.rstrip('/')}{path}"
        self.body: bytes | None = None
        self.query: dict[str, str] = {}
        if operation.method in _WITH_BODY:
            self.body = json.dumps(left).encode()
        else:
            self.query = {name: _text(name, value) for name, value in left.items()}
        size = len(self.body or b"") + sum(len(n) + len(v) for n, v in self.query.items())
        if size > service.max_request_bytes:
            raise TooLarge(f"`{service.name}` takes {service.max_request_bytes} bytes at most.")


def _segment(part: str, arguments: dict[str, Any]) -> str:
    if not part.startswith("{"):
        return part
    name = part[1:-1]
    if name not in arguments:
        raise InvalidInput(f"The argument `{name}` is missing.")
    text = _text(name, arguments.pop(name))
    if not text or len(text) > 200 or set(text) <= {"."}:
        raise InvalidInput(f"The argument `{name}` can't be part of an address.")
    return quote(text, safe="")


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value).encode(errors="replace").decode()
    raise InvalidInput(f"The argument `{name}` must be a text or a number.")


async def _read(answer: httpx.Response, most: int) -> bytes:
    content = b""
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > most:
            raise AnswerTooLarge(f"The service answered with more than {most} bytes.")
    return content


def _value(service: BackingService, answer: httpx.Response, content: bytes) -> Any:
    if answer.status_code in _AWAY:
        raise _Away(f"it answered {answer.status_code}")
    if answer.is_redirect:
        raise ServiceRefused(f"`{service.name}` sent us elsewhere, where we do not go.")
    if not answer.is_success:
        said = content.decode(errors="replace")[:_ERROR_CHARS]
        raise ServiceRefused(
            f"`{service.name}` answered {answer.status_code}: {said}", answered=answer.status_code
        )
    if not content:
        return None
    try:
        value = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode()  # escapes can hide what is no text
        return value
    except (ValueError, RecursionError) as error:
        raise ServiceRefused(f"`{service.name}` answered with something else than JSON.") from error


def _unavailable(
    service: BackingService, operation: ServiceOperation, error: Exception
) -> ServiceUnavailable:
    open_end = not isinstance(error, _NotSent) and operation.method not in _IDEMPOTENT
    maybe = " It may have been done all the same." if open_end else ""
    return ServiceUnavailable(f"`{service.name}` does not answer: {error}.{maybe}")
