"""What people do wrong at first is said in words that help."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pyrivet import Actor, Client, Unreachable, Worker, WorkerError, action

from .conftest import Stage

ENDPOINT = "http://127.0.0.1:9"


class Slow(Actor):
    @action  # type: ignore[type-var]
    def wait(self) -> None: ...


class Loose(Actor):
    state: dict[str, int]


@pytest.mark.parametrize("make", [Client, lambda endpoint: Worker(endpoint, {})])
def test_address_without_a_scheme(make: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="must begin with http://"):
        make("127.0.0.1:6420")


def test_key_that_is_a_string() -> None:
    with pytest.raises(TypeError, match=r"a list of parts: \['visits'\]"):
        Client(ENDPOINT).get_or_create("counter", "visits")


@pytest.mark.parametrize(
    ("actor", "problem"),
    [
        (Slow, "action wait must be `async def`"),
        (Loose, "Loose.state must be annotated with a pydantic model"),
        (Actor(), "needs a class"),
    ],
)
def test_actor_that_cannot_work(actor: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        Worker(ENDPOINT, {"counter": actor})


@pytest.mark.anyio
async def test_engine_that_is_not_there() -> None:
    worker = Worker(ENDPOINT, {}, connect_timeout=timedelta(seconds=1))
    with pytest.raises(WorkerError, match=rf"no Rivet Engine took this worker at {ENDPOINT}.*fail"):
        async with worker:
            pass


@pytest.mark.anyio
@pytest.mark.live
async def test_actor_that_nobody_has(
    stage: Stage, key: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    call = (await stage.client()).get_or_create("countr", key).call
    patience = timedelta(seconds=2)
    with pytest.raises(Unreachable, match="no worker has connected to this pool yet"):
        await call("get", timeout=patience)
    await stage.work(counter=Actor)
    with pytest.raises(Unreachable, match="the log of its worker says why"):
        await call("get", timeout=patience)
    assert caplog.text.count("this worker has no 'countr', only ['counter']") == 1
