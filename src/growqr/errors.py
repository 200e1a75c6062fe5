"""The one family of errors that a person or another program sees.

GrowError (500 internal_error)
├── InvalidInput (400)
├── Unauthenticated (401)
├── EntitlementRequired (402)
├── Forbidden (403)
├── NotFound (404)
├── Conflict (409)
├── TooLarge (413)
├── TooMany (429)
└── Unavailable (503, retryable)

Leaves live beside the code that raises them and set `code`; one handler in `growqr.api`
renders them all as `application/problem+json` (RFC 9457).
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class GrowError(Exception):
    """What happened, in words for the person who asked.

    `code` is stable and meant for programs; `detail` says what happened and what to do;
    `extra` holds more members for the problem document (never a secret).
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, Any] = extra


class InvalidInput(GrowError):
    """The request can't be understood or breaks a rule."""

    code = "invalid_input"
    status = 400
    title = "The request is not valid"


class Unauthenticated(GrowError):
    """No token, or one that is wrong or expired."""

    code = "unauthenticated"
    status = 401
    title = "Please log in"


class EntitlementRequired(GrowError):
    """The user's plan does not allow this now."""

    code = "entitlement_required"
    status = 402
    title = "Your plan does not allow this"


class Forbidden(GrowError):
    """An actor lacks the capability for what it tried on its own user's things."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class NotFound(GrowError):
    """Nothing of that id, or nothing of the caller's: both look the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class Conflict(GrowError):
    """The thing is not in the state the request assumed."""

    code = "conflict"
    status = 409
    title = "The current state does not allow this"


class TooLarge(GrowError):
    """A size limit was passed."""

    code = "too_large"
    status = 413
    title = "Too large"


class TooMany(GrowError):
    """A rate or count limit was passed."""

    code = "too_many"
    status = 429
    title = "Too many"
    retryable = True


class Unavailable(GrowError):
    """A part that this needs does not answer now; trying again later may work."""

    code = "unavailable"
    status = 503
    title = "Temporarily unavailable"
    retryable = True
