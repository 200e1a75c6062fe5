from collections.abc import Iterator

import pytest

from tests.support.engine import running_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real engine, shared by the tests of a file; each world has a pool of its own.

    Agents that tests leave behind keep an engine busy, so it does not live longer than that.
    """
    # A machine that stands still for some seconds is no lost worker: its agents would start again.
    patient = {"PEGBOARD__ENVOY_LOST_THRESHOLD": "30000"}
    with running_engine(tmp_path_factory.mktemp("engine"), patient) as endpoint:
        yield endpoint
