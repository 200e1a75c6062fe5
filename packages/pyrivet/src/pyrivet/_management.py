"""The engine's management API, as far as this package needs it."""

from typing import Any

import httpx

from pyrivet.errors import ActorNotFound, RivetError, Unreachable


def http_client(endpoint: str) -> httpx.AsyncClient:
    # Reading the certificate store takes 20 ms, which plain HTTP need not pay.
    return httpx.AsyncClient(
        base_url=endpoint, verify=endpoint.startswith("https"), trust_env=False, timeout=10
    )


async def destroy_actor(
    endpoint: str, namespace: str, token: str | None, *, name: str, key: str
) -> None:
    """Remove an actor and its database; raises ActorNotFound, Unreachable or RivetError."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    try:
        async with http_client(endpoint) as http:
            http.headers.update(headers)
            found = await http.get(
                "/actors", params={"namespace": namespace, "name": name, "key": key}
            )
            actors: list[dict[str, Any]] = _checked(found).json()["actors"]
            if not actors:
                raise ActorNotFound(f"{name} {key}")
            where = f"/actors/{actors[0]['actor_id']}"
            _checked(await http.delete(where, params={"namespace": namespace}))
    except httpx.HTTPError as error:
        raise Unreachable(f"the engine does not answer: {error!r}") from error


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 404:
        raise ActorNotFound(answer.text[:300])
    if not answer.is_success:
        raise RivetError(f"the engine answered {answer.status_code}: {answer.text[:300]}")
    return answer
