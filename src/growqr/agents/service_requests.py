"""What the service agent understands without a model: which operation, with which arguments."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from growqr.settings import BackingService

MAX_REQUESTS = 20


@dataclass(frozen=True)
class ServiceRequest:
    """One call."""

    service: str
    operation: str
    arguments: dict[str, Any]


def parse_requests(text: str, services: Sequence[BackingService]) -> list[ServiceRequest]:
    """Return every `SERVICE OPERATION {JSON}` in the text, in its order, 20 at most.

    A name that is in no setting is not found, and broken JSON is as if it were not there.
    """
    found: list[tuple[int, ServiceRequest]] = []
    for service in services:
        for operation in service.operations:
            wanted = rf"\b{re.escape(service.name)}[\s:.,/]+(?:to\s+)?{operation.name}\b\s*"
            for match in re.finditer(wanted, text):
                arguments = _arguments(text, match.end())
                request = ServiceRequest(service.name, operation.name, arguments)
                found.append((match.start(), request))
    found.sort(key=lambda one: one[0])
    return [request for _, request in found[:MAX_REQUESTS]]


def help_on(services: Sequence[BackingService]) -> str:
    """Return what can be asked, one line an operation."""
    lines = [
        f"- `{service.name} {operation.name} {{…}}` {operation.description}".rstrip()
        for service in services
        for operation in service.operations
    ]
    return "I understand a service, what it is to do, and its arguments as JSON:\n\n" + "\n".join(
        lines
    )


def _arguments(text: str, start: int) -> dict[str, Any]:
    if not text.startswith("{", start):
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
