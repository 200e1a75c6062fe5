"""Actions: methods of an actor that clients call, with their arguments checked."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError

from pyrivet import _wire
from pyrivet.errors import ActionError

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_MARK = "__pyrivet_action__"
_QUEUE = "__pyrivet_queue__"


@overload
def action(method: F, /) -> F: ...
@overload
def action(*, concurrent: bool = False) -> Callable[[F], F]: ...
def action(method: F | None = None, /, *, concurrent: bool = False) -> F | Callable[[F], F]:
    """Make a method callable by clients: JSON in and out, arguments checked by its annotations.

    Actions of one actor run one at a time, in the order they came. One that is `concurrent` runs
    at once, beside the others. Do not await an action of another actor that calls back here:
    both would wait for each other until they time out.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, concurrent)
        return function

    return mark if method is None else mark(method)


def queue(name: str, /) -> Callable[[F], F]:
    """Make a method handle the messages of a durable queue, one at a time as actions run.

    It takes the message's body, checked by its annotation; what it returns reaches a sender who
    waits, and so does an ActionError. A message whose handler has ended is removed, also after
    an error. If the worker dies before, the message is handled again.
    """

    def mark(function: F) -> F:
        setattr(function, _QUEUE, name)
        return function

    return mark


@dataclass(frozen=True)
class Action:
    """One action of an actor class, or the handler of a queue."""

    name: str
    concurrent: bool
    parameters: Sequence[tuple[str, TypeAdapter[Any], bool]]
    """Name, type, and whether it may be left out, in order."""
    result: TypeAdapter[Any] | None

    def check(self, args: Sequence[Any]) -> list[Any]:
        """Return the arguments as Python values; raises ActionError `invalid_input`."""
        if len(args) > len(self.parameters):
            most = len(self.parameters)
            raise ActionError("invalid_input", f"{self.name} takes {most} values, not {len(args)}")
        checked = []
        for index, (name, adapter, may_miss) in enumerate(self.parameters):
            if index >= len(args):
                if not may_miss:
                    raise ActionError("invalid_input", f"{name} is missing")
                break
            try:
                checked.append(adapter.validate_python(args[index]))
            except ValidationError as error:
                problems = error.errors(
                    include_url=False, include_input=False, include_context=False
                )
                text = "; ".join(
                    ".".join([name, *map(str, p["loc"])]) + ": " + p["msg"] for p in problems[:5]
                )
                raise ActionError("invalid_input", text) from error
        return checked

    def dump(self, value: Any) -> str:
        """Return a result as JSON."""
        if self.result is None:
            return _wire.dump(value)
        if _wire.holds_bytes(value):
            return _wire.dump(self.result.dump_python(value))
        return _wire.escape(self.result.dump_json(value).decode())


@dataclass(frozen=True)
class Kind:
    """What clients can ask of an actor class."""

    actions: Mapping[str, Action]
    queues: Mapping[str, Action]
    """Handlers by queue."""
    state: type[BaseModel] | None


def is_action(method: object) -> bool:
    """Whether clients may call a method."""
    return hasattr(method, _MARK)


def actions_of(cls: type) -> dict[str, Action]:
    """Collect the actions of a class; raises TypeError for one that cannot be called."""
    found = {}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        concurrent = getattr(method, _MARK, None)
        if concurrent is not None:
            found[name] = _describe(name, method, concurrent)
    return found


def queues_of(cls: type) -> dict[str, Action]:
    """Collect the handlers by queue; raises TypeError for one that cannot be called."""
    found: dict[str, Action] = {}
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        queue_name = getattr(method, _QUEUE, None)
        if queue_name is None:
            continue
        if queue_name in found:
            raise TypeError(f"two methods handle the queue {queue_name!r}")
        handler = _describe(name, method, concurrent=False)
        if not handler.parameters or not all(may_miss for *_, may_miss in handler.parameters[1:]):
            raise TypeError(f"{name} must take the body of a message, and nothing else")
        found[queue_name] = handler
    return found


def _describe(name: str, method: Callable[..., Any], concurrent: bool) -> Action:
    if not inspect.iscoroutinefunction(method):
        raise TypeError(f"action {name} must be `async def`")
    hints = typing.get_type_hints(method, include_extras=True)
    parameters = []
    try:
        for parameter in list(inspect.signature(method).parameters.values())[1:]:
            if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
                raise TypeError(f"action {name}: {parameter} cannot be given by position")
            adapter = TypeAdapter(hints.get(parameter.name, Any))
            may_miss = parameter.default is not inspect.Parameter.empty
            parameters.append((parameter.name, adapter, may_miss))
        result = TypeAdapter(hints["return"]) if "return" in hints else None
    except PydanticUserError as error:
        raise TypeError(f"action {name}: {error}") from error
    return Action(name, concurrent, parameters, result)
