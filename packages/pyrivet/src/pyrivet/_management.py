"""The engine's management API, as far as this package needs it."""

from typing import Any
from urllib.parse import quote

import httpx

from pyrivet._key import join_key
from pyrivet._place import ById, ByKey, Place
from pyrivet.errors import ActorNotFound, RivetError, Unreachable


def http_client(endpoint: str) -> httpx.AsyncClient:
    # Reading the certificate store takes 20 ms, which plain HTTP need not pay.
    return httpx.AsyncClient(
        base_url=endpoint,
        verify=endpoint.startswith("https"),
        trust_env=False,
        timeout=10,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
    )


async def destroy_actor(endpoint: str, namespace: str, token: str | None, place: Place) -> None:
    """Remove an actor and its database; raises ActorNotFound, Unreachable or RivetError."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        async with http_client(endpoint) as http:
            http.headers.update(headers)
            match place:
                case ById(actor_id):
                    pass
                case ByKey(name, key):
                    actor_id = await _find(http, namespace, name, join_key(key))
            where = f"/actors/{quote(actor_id, safe='')}"
            _checked(await http.delete(where, params={"namespace": namespace}))
    except httpx.HTTPError as error:
        raise Unreachable(f"the engine does not answer: {error!r}") from error


async def _find(http: httpx.AsyncClient, namespace: str, name: str, key: str) -> str:
    query = {"namespace": namespace, "name": name, "key": key}
    actors: list[dict[str, Any]] = _checked(await http.get("/actors", params=query)).json()[
        "actors"
    ]
    if not actors:
        raise ActorNotFound(f"{name} {key}")
    return str(actors[0]["actor_id"])


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 404:
        raise ActorNotFound(answer.text[:300])
    if not answer.is_success:
        raise RivetError(f"the engine answered {answer.status_code}: {answer.text[:300]}")
    return answer
