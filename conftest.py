"""What every test in the workspace shares."""

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says nothing here: a machine may stand still in the middle of it.
settings.register_profile(
    "any machine",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the engine client and the database drivers need it."""
    return "asyncio"
