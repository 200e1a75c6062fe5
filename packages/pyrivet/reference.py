"""Prints the API reference, from the source: `python reference.py > REFERENCE.md`."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pyrivet

SUBJECTS = {
    "Actors": "Actor ActorOptions action queue Connection WebSocket Request Response",
    "What an actor keeps": "Database Result Transaction KeyValue Queue Schedule Alarm",
    "Running them": "Worker Engine find_engine",
    "Clients": "Client ActorHandle Subscription",
    "Errors": "RivetError ActionError DeadlineExceeded Unreachable CallInterrupted ActorNotFound "
    "EventsLost DatabaseError DatabaseInterrupted ClientGone ProtocolError WorkerError EngineError",
}
INTERNAL = "or this package only."
ITEM = re.compile(r"^    (\w+): ", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def reference() -> str:
    """Return the page; raises ValueError if an exported name has no place in it."""
    placed = " ".join(SUBJECTS.values()).split()
    if missing := set(pyrivet.__all__) ^ set(placed):
        raise ValueError(f"give them a subject: {sorted(missing)}")
    parts = [
        "# Reference",
        "Everything that `pyrivet` exports. Written by `reference.py` from the source.",
    ]
    for subject, names in SUBJECTS.items():
        parts.append(f"## {subject}")
        for name in names.split():
            parts += _entry(name)
    return "\n\n".join(parts) + "\n"


class _Readable(ast.NodeTransformer):
    """Unquotes annotations, and writes the values of constants that are used as defaults."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = _unquoted(node.annotation)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        self.generic_visit(node)
        node.defaults = [self._value(default) for default in node.defaults]
        node.kw_defaults = [each and self._value(each) for each in node.kw_defaults]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = _unquoted(node.returns)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self.generic_visit(node)
        node.returns = _unquoted(node.returns)
        return node

    def _value(self, default: ast.expr) -> ast.expr:
        if not isinstance(default, ast.Name):
            return default
        text = repr(self._names[default.id]).replace("datetime.", "")
        return ast.parse(text, mode="eval").body


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
    match annotation:
        case ast.Constant(value=str(text)):
            return ast.parse(text, mode="eval").body
    return annotation


def _entry(name: str) -> Iterator[str]:
    exported = getattr(pyrivet, name)
    source = textwrap.dedent(inspect.getsource(exported))
    tree = ast.parse(source.partition("# What follows is f" + INTERNAL)[0])
    node = _Readable(vars(sys.modules[exported.__module__])).visit(tree).body[0]
    yield f"### `{name}`"
    if isinstance(node, Function):
        decorates = name in ("action", "queue")
        yield f"`{'@' if decorates else ''}{_signature(node)}`"
        yield _text(node)
        return
    assert isinstance(node, ast.ClassDef)
    init = next((each for each in _functions(node) if each.name == "__init__"), None)
    if init is not None and not _is_made_by_others(name):
        yield f"`{name}{_arguments(init)}`"
    yield _text(node)
    if fields := [*_fields(node.body), *_fields([] if init is None else init.body)]:
        yield "\n".join(fields)
    for method in _functions(node):
        if method.name.startswith("_") or INTERNAL in (ast.get_docstring(method) or ""):
            continue
        yield f"#### `{_signature(method)}`"
        if text := _text(method):
            yield text


def _is_made_by_others(name: str) -> bool:
    return name in {"Connection", "Database", "Transaction", "KeyValue", "Queue", "Schedule"} | {
        "Subscription"
    }


def _functions(node: ast.ClassDef) -> list[Function]:
    return [each for each in node.body if isinstance(each, Function)]


def _fields(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the attributes that have a type, or text below them."""
    for statement, after in pairwise([*body, ast.Pass()]):
        match statement:
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                kind = re.sub(r"^ClassVar\[(.*)\]$", r"\1", ast.unparse(annotation))
                kind += "" if value is None else f" = {ast.unparse(value)}"
            case ast.Assign(targets=[target]):
                kind = ""
            case _:
                continue
        name = target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                about = inspect.cleandoc(text).replace("\n", " ")
            case _:
                about = ""
        own = isinstance(target, ast.Name) and isinstance(statement, ast.AnnAssign)
        if not name.startswith("_") and (about or own):
            yield f"- `{name}" + (f": {kind}`" if kind else "`") + (f": {about}" if about else "")


def _signature(node: Function) -> str:
    if any(ast.unparse(each) == "property" for each in node.decorator_list):
        return node.name + ("" if node.returns is None else f": {ast.unparse(node.returns)}")
    returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    prefix = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    if any(ast.unparse(each) == "asynccontextmanager" for each in node.decorator_list):
        prefix, returns = "async with ", returns.replace("AsyncIterator[", "").removesuffix("]")
    return f"{prefix}{node.name}{_arguments(node)}{returns}"


def _arguments(node: Function) -> str:
    given = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    return f"({given})"


def _text(node: Function | ast.ClassDef) -> str:
    """Return the docstring, with its sections as lists."""
    text = ast.get_docstring(node) or ""
    text = re.sub(r"^(Args|Raises|Returns):$", r"\1:\n", text, flags=re.MULTILINE)
    return ITEM.sub(r"- `\1`: ", text).replace("\n        ", " ")


if __name__ == "__main__":
    sys.stdout.write(reference())
