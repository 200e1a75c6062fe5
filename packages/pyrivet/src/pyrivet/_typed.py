"""Actions as typed functions: what a method's annotations say about a call of it."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pyrivet._actions import is_action
from pyrivet.errors import ProtocolError


class Signature:
    """How the clients of an action call it."""

    def __init__(self, method: Callable[..., Any]) -> None:
        if not is_action(method):
            raise TypeError(f"{method!r} is not marked as an action")
        self.name = method.__name__
        signature = inspect.signature(method)
        parameters = list(signature.parameters.values())[1:]
        self._signature = signature.replace(parameters=parameters)
        hints = typing.get_type_hints(method, include_extras=True)
        self._result: TypeAdapter[Any] = TypeAdapter(hints.get("return", Any))

    @classmethod
    def of(cls, method: Callable[..., Any]) -> "Signature":
        """Return that of a method; raises TypeError for one that is no action."""
        return _signature_of(method)

    def positional(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return the arguments in order, as they travel; raises TypeError as a call would."""
        bound = self._signature.bind(*args, **kwargs)
        given = list(bound.arguments)
        bound.apply_defaults()  # for those left out in the middle
        names = list(bound.arguments)
        last = names.index(given[-1]) + 1 if given else 0
        return [bound.arguments[name] for name in names[:last]]

    def result(self, value: Any) -> Any:
        """Return an answer as the method's type; raises ProtocolError for another one."""
        try:
            return self._result.validate_python(value)
        except ValidationError as error:
            raise ProtocolError(f"{self.name} answered with another type: {error}") from error


@cache
def _signature_of(method: Callable[..., Any]) -> Signature:
    return Signature(method)
