"""What the engine client raises reaches callers as our own errors."""

from typing import Any

import pyrivet
import pytest
from pyrivet import ActionError, RivetError

from growqr.api.agents_gateway import AgentGateway, AgentStopped, AgentUnavailable
from growqr.db.tables import ActorRow
from growqr.errors import Conflict, GrowError, InvalidInput, NotFound, TooMany
from tests.api.fake_engine import FakeAgent, FakeClient

pytestmark = pytest.mark.anyio

ACTOR = ActorRow(id="act_1", user_id="usr_1", name="grow")


def gateway_that_raises(error: Exception) -> AgentGateway:
    class Failing(FakeAgent):
        def events(self, after: int, limit: int) -> list[dict[str, Any]]:
            raise error

    engine = FakeClient()
    engine.agents["act_1"] = Failing("grow", "act_1")
    return AgentGateway(engine.client)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not_found", NotFound),
        ("conflict", Conflict),
        ("agent_stopped", AgentStopped),
        ("invalid_input", InvalidInput),
        ("too_many", TooMany),
        ("unavailable", AgentUnavailable),
    ],
)
async def test_refusals_keep_their_meaning_and_words(code: str, kind: type[GrowError]) -> None:
    with pytest.raises(kind, match="in words"):
        await gateway_that_raises(ActionError(code, "in words")).stored_events(ACTOR, 0, 1)


async def test_unknown_failures_of_an_agent_hide_their_inside() -> None:
    error = ActionError("internal_error", "row 5 of table secrets")
    with pytest.raises(GrowError) as caught:
        await gateway_that_raises(error).stored_events(ACTOR, 0, 1)
    assert caught.value.status == 500
    assert "secrets" not in caught.value.detail


async def test_every_other_error_of_the_client_means_unavailable() -> None:
    exported = [getattr(pyrivet, name) for name in pyrivet.__all__]
    kinds = [
        kind
        for kind in exported
        if isinstance(kind, type)
        and issubclass(kind, RivetError)
        and not issubclass(kind, ActionError)
    ]
    assert len(kinds) > 5
    for kind in kinds:
        with pytest.raises(AgentUnavailable):
            await gateway_that_raises(kind("broken")).stored_events(ACTOR, 0, 1)
