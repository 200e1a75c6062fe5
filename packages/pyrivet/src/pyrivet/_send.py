"""Messages to the queues of actors, over HTTP."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from pyrivet import _wire
from pyrivet._backoff import Backoff
from pyrivet._management import http_client
from pyrivet.errors import (
    ActionError,
    ActorNotFound,
    CallInterrupted,
    DeadlineExceeded,
    RivetError,
    Unreachable,
)

# The engine has not handed the request to an actor, or the actor has not begun with it.
_NOT_SENT = {
    "guard.actor_ready_timeout",
    "guard.actor_stopped_while_waiting",
    "guard.actor_wake_retries_exceeded",
    "envoy.actor_not_found",
    "actor.stopping",
}
_GRACE_SECONDS = 5.0


async def send_message(
    address: str,
    queue: str,
    body: Any,
    *,
    params: Mapping[str, Any],
    wait: bool,
    seconds: float,
) -> Any:
    """Post to `address`, an actor's `/queue`; see `ActorHandle.send`."""
    url, _, query = address.partition("?")
    content = json.dumps({"wait": wait, "timeout": round(seconds * 1000)})
    content = f'{content[:-1]},"body":{_wire.dump(body)}}}'
    headers = {"x-rivet-encoding": "json", "x-rivet-conn-params": json.dumps(dict(params))}
    backoff, last = Backoff(0.02, 1.0), "no connection yet"
    deadline = asyncio.get_running_loop().time() + seconds
    async with http_client(url) as http:
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                answer = await http.post(
                    f"{url}/{quote(queue, safe='')}?{query}",
                    content=content,
                    headers=headers,
                    # The actor itself says when a wait is over.
                    timeout=left + (_GRACE_SECONDS if wait else 0),
                )
            except httpx.ConnectError as error:
                last = repr(error)
            except httpx.TimeoutException:
                raise DeadlineExceeded(f"{queue}: no answer in time") from None
            except httpx.TransportError as error:
                raise CallInterrupted(f"{queue}: {error!r}") from error
            else:
                if answer.is_success:
                    return _result(queue, answer)
                last = _failure(answer)
            await asyncio.sleep(backoff.delay())
    raise Unreachable(f"{queue}: {last}")


def _result(queue: str, answer: httpx.Response) -> Any:
    fields = _wire.revive(answer.json())
    if fields.get("status") == "timedOut":
        raise DeadlineExceeded(f"{queue}: not handled in time; the message is kept")
    return fields.get("response")


def _failure(answer: httpx.Response) -> str:
    """Return why the message was not sent; raises what else went wrong."""
    code = answer.headers.get("x-rivet-error", "")
    try:
        fields = answer.json()
        group, name = str(fields["group"]), str(fields["code"])
    except (ValueError, TypeError, KeyError):
        group, _, name = code.partition(".")
        fields = {}
    if f"{group}.{name}" in _NOT_SENT:
        return f"{group}.{name}"
    if (group, name) == ("actor", "not_found") and code:
        raise ActorNotFound("no such actor")
    if code or (group, name) == ("actor", "interrupted"):
        raise CallInterrupted(f"{group}.{name}")
    if not fields:
        raise RivetError(f"the engine answered {answer.status_code}")
    raise ActionError(name, str(fields.get("message")), _wire.revive(fields.get("metadata")))
