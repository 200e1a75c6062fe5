"""Opening WebSockets to actors through the engine's gateway, and why that failed."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from pyrivet import _wire
from pyrivet._backoff import Backoff
from pyrivet.errors import ActorNotFound, RivetError, Unreachable

NOT_OPENED = (OSError, InvalidHandshake, ConnectionClosed, TimeoutError)
"""What `dial` raises."""
_MAX_FRAME_BYTES = 32 << 20
# Opening may include waking the actor, for which the engine allows 30 s.
_OPEN_SECONDS = 35.0
_EXPLAINED = {
    "actor.no_runner_config_configured": "no worker has connected to this pool yet",
    "guard.actor_ready_timeout": "no worker took the actor in time",
    "guard.actor_wake_retries_exceeded": "the actor did not start; the log of its worker says why",
}
_HOPELESS = {"actor.key_too_large", "guard.query_invalid_params", "namespace.not_found"}


def dial(url: str, params: Mapping[str, Any], *protocols: str) -> connect:
    """Return what opens a socket, once: a context, or to be awaited."""
    offered = ["rivet", *protocols]
    if params:
        offered.append(_wire.quote_params(params))
    return connect(
        url,
        subprotocols=[Subprotocol(name) for name in offered],
        compression=None,
        proxy=None,
        max_size=_MAX_FRAME_BYTES,
        max_queue=256,
        open_timeout=_OPEN_SECONDS,
        close_timeout=1,
    )


async def dial_until(
    url: str, params: Callable[[], Mapping[str, Any]], seconds: float
) -> ClientConnection:
    """Open a socket, trying again until it is open; raises Unreachable."""
    deadline = asyncio.get_running_loop().time() + seconds
    backoff, last = Backoff(0.02, 1.0), "no connection yet"
    try:
        async with asyncio.timeout_at(deadline):
            while True:
                try:
                    return await dial(url, params())
                except NOT_OPENED as error:
                    last = reason(error)
                await asyncio.sleep(backoff.delay())
    except TimeoutError:
        raise Unreachable(explained(last)) from None


def reason(error: Exception) -> str:
    """Return the engine's code for why a connection failed, such as `actor.not_found`."""
    if isinstance(error, InvalidStatus):
        try:
            body = json.loads(error.response.body or b"")
            return f"{body['group']}.{body['code']}: {body['message']}"
        except (ValueError, TypeError, KeyError):
            return str(error)
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return error.rcvd.reason
    return str(error) or repr(error)


def explained(why: str) -> str:
    """Return the reason of a failed connection with what it means, for people."""
    code = _code(why)
    return f"{code}: {_EXPLAINED[code]}" if code in _EXPLAINED else why


def raise_if_hopeless(why: str, *, creates: bool) -> None:
    """Raise if the engine will never let a client in that it refused for this reason."""
    code = _code(why)
    if code == "actor.not_found" and not creates:
        raise ActorNotFound("no such actor")
    if code in _HOPELESS:
        raise RivetError(why)


def _code(why: str) -> str:
    return why.partition("#")[0].partition(":")[0]
