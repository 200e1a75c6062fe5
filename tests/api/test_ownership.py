"""Generated from the OpenAPI document: a route that is added is covered without a new test."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from growqr.app import api_document
from tests.api.conftest import Person
from tests.api.fake_engine import FakeClient

pytestmark = pytest.mark.anyio

PUBLIC = {
    "register",
    "login",
    "refresh",
    "logout",
    "get_health",
    "get_readiness",
    "get_metrics",
    "get_config",
    "get_key_set",
    "get_export",
}
SHARED_PARAMETERS = {"key"}
"""Path parameters that name what belongs to nobody."""
FINE_PRINT = {
    "revoke_git_token",
    "remove_deploy_key",
    "get_pull_request",
    "close_pull_request",
    "merge_pull_request",
    "get_export",
}
"""Here the owner too gets 404: these name something that is not there."""
JSON = {"accept": "application/json"}

DOCUMENT = api_document()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def minimal(schema: dict[str, Any]) -> Any:
    """The smallest value that a schema takes, roughly."""
    if "$ref" in schema:
        return minimal(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return minimal(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            needed = schema.get("required", [])
            return {name: minimal(schema["properties"][name]) for name in needed}
        case "array":
            return [minimal(schema["items"])]
        case "integer":
            return 1
        case "boolean":
            return True
        case _:
            return "x"


def body_of(operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return None
    return minimal(operation["requestBody"]["content"]["application/json"]["schema"])


async def request(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    operation: dict[str, Any],
    ids: dict[str, str],
) -> httpx.Response:
    url = path.format_map(ids)
    return await client.request(method, url, json=body_of(operation), headers=JSON)


async def belongings(person: Person, engine: FakeClient) -> dict[str, str]:
    """One of everything, by the name of its path parameter."""
    coding = next(
        agent
        for agent in (await person.http.get("/actors")).json()["items"]
        if agent["name"] == "coding"
    )
    engine.agents[person.actor["id"]].add_task("tsk_of_ada")
    session = await person.http.post(
        f"/opencode/workspaces/{coding['workspace_id']}/sessions", json={"title": "A session"}
    )
    run = await person.http.post("/quests/weekly-review/start")
    repo = (await person.http.get(f"/git/repos/{person.actor['repo_id']}")).json()
    return {
        "user_id": person.user_id,
        "actor_id": person.actor["id"],
        "channel_id": person.actor["channel_id"],
        "workspace_id": coding["workspace_id"],
        "repo_id": repo["id"],
        "sha": repo["head"],
        "task_id": "tsk_of_ada",
        "session_id": session.json()["id"],
        "run_id": run.json()["id"],
        "token_id": "none",
        "key_id": "none",
        "number": "1",
        "name": "none",
        "key": "weekly-review",
    }


def test_operation_ids_are_unique_and_public_routes_are_listed() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    public = {o["operationId"] for _, _, o in operations() if "security" not in o}
    assert public == PUBLIC


async def test_without_a_token_every_route_answers_401(anyone: httpx.AsyncClient) -> None:
    ids = dict.fromkeys(
        ("user_id", "actor_id", "channel_id", "workspace_id", "repo_id", "task_id"), "x"
    ) | {
        "session_id": "x",
        "run_id": "x",
        "token_id": "x",
        "key_id": "x",
        "number": "1",
        "sha": "x",
        "key": "x",
    }
    for bearer in (None, "Bearer nonsense", "Basic YTpi"):
        anyone.headers.update({"authorization": bearer} if bearer else {})
        for method, path, operation in operations():
            if operation["operationId"] in PUBLIC:
                continue
            answer = await request(anyone, method, path, operation, ids)
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.json()["code"] in ("unauthenticated", "token_invalid")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_others_things_look_exactly_like_missing_ones(
    app: FastAPI, ada: Person, bob: Person, engine: FakeClient
) -> None:
    theirs = await belongings(ada, engine)
    missing = {name: f"{value[:-3]}xyz" for name, value in theirs.items()}
    missing |= {"number": "9", "key": theirs["key"], "sha": "0" * 40}
    agents = [agent for agent in engine.agents.values() if agent.actor_id != bob.actor["id"]]
    before = {agent.actor_id: list(agent.calls) for agent in agents}
    owned = [
        (method, path, operation)
        for method, path, operation in operations()
        if {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        - SHARED_PARAMETERS
    ]
    assert len(owned) > 25
    for method, path, operation in owned:
        other = await request(bob.http, method, path, operation, theirs)
        none = await request(bob.http, method, path, operation, missing)
        assert other.status_code == none.status_code == 404, (method, path, other.text)
        said = [answer.json() for answer in (other, none)]
        for one in said:
            one.pop("request_id")
        assert said[0] == said[1], path
    mine = {agent.actor_id for agent in agents if agent.calls != before[agent.actor_id]}
    family = {agent["id"] for agent in (await bob.http.get("/actors")).json()["items"]}
    assert mine <= family, "an agent of Ada was called for Bob"

    for method, path, operation in owned:  # the test has teeth: for Ada all of it is there
        answer = await request(ada.http, method, path, operation, theirs)
        name = operation["operationId"]
        assert (answer.status_code == 404) == (name in FINE_PRINT), (name, answer.text)
        assert answer.status_code < 500, (name, answer.text)
