"""The same code as separate, replicated processes: two APIs and two workers on PostgreSQL.

They share an engine, a database and the folder with repositories and secrets. The model is the
scripted server; everything else is what runs in production.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from growqr.testing import Platform
from tests.support.engine import running_engine
from tests.support.held_turn import HeldTurn
from tests.support.person import Person
from tests.support.postgres import postgres
from tests.support.scripted_model import serve

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


@dataclass
class Cluster:
    apis: list[Platform]
    workers: list[Platform]


@contextmanager
def cluster(folder: Path, model_url: str) -> Iterator[Cluster]:
    with ExitStack() as stack:
        shared = {
            "GROWQR_RIVET__ENDPOINT": stack.enter_context(running_engine(folder / "engine")),
            "GROWQR_DATABASE_URL": stack.enter_context(postgres()),
            "GROWQR_MODEL__PROVIDER": "openai-compatible",
            "GROWQR_MODEL__NAME": "scripted",
            "GROWQR_MODEL__BASE_URL": model_url,
        }
        apis = [Platform(folder, shared, command="api") for _ in range(2)]
        workers = [Platform(folder, shared, command="worker") for _ in range(2)]
        for part in (*workers, *apis):
            stack.push(part)  # stops what has been started
        # All at once, on an empty database: one of them makes the tables.
        with ThreadPoolExecutor() as pool:
            list(pool.map(Platform.start, [*apis, *workers]))
        yield Cluster(apis, workers)


def test_a_person_is_served_by_whichever_processes_are_left(tmp_path: Path) -> None:
    turn = HeldTurn()
    with serve(turn.script) as model, cluster(tmp_path, model.base_url) as parts:
        here, there = parts.apis
        ada = Person.register(here.url)
        message = turn.begin(ada)

        # One of the two workers has the turn. Whichever it is, both go, one after the other.
        first, second = parts.workers
        first.kill()
        first.start()
        second.kill()

        # The other API knows the person, and shows the same story.
        ada.client.base_url = there.url
        turn.end(ada, message)
        log = ada.stored_events()
        ada.client.base_url = here.url
        assert ada.stored_events() == log
