"""Quests: predefined pathways, and the user's runs of them."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from growqr.agents.quests.loader import load_quests
from growqr.api.deps import CurrentUser, Id, MyQuestAgent, ServicesDep
from growqr.api.idempotency import IdempotencyHeader
from growqr.api.pagination import Cursor, Limit, Page, decode_text, encode_cursor
from growqr.errors import NotFound
from growqr.ids import derived_id, new_id

router = APIRouter(prefix="/quests", tags=["quests"])

QuestKey = Annotated[str, Path(max_length=48, pattern=r"^[a-z][a-z0-9-]*$")]


class QuestStepOut(BaseModel):
    """One step."""

    title: str


class QuestOut(BaseModel):
    """A pathway that can be started."""

    key: str
    title: str
    description: str
    steps: list[QuestStepOut]


class RunStepOut(BaseModel):
    """One step of a run."""

    title: str
    status: str


class QuestRunOut(BaseModel):
    """A run of a quest; `step` counts from 0."""

    model_config = ConfigDict(extra="allow")

    id: str
    quest_key: str
    status: str
    step: int
    steps: list[RunStepOut]


@router.get("")
async def list_quests(user: CurrentUser) -> Page[QuestOut]:
    """The quests there are."""
    quests = load_quests().values()
    return Page(items=[QuestOut.model_validate(quest.summary()) for quest in quests])


@router.get("/runs")
async def list_quest_runs(
    quest: MyQuestAgent, services: ServicesDep, cursor: Cursor = None, limit: Limit = 100
) -> Page[QuestRunOut]:
    """The user's runs, newest first."""
    page = await services.agents.quest_runs(quest, decode_text(cursor), limit)
    items = [QuestRunOut.model_validate(run) for run in page["items"]]
    return Page(items=items, next_cursor=encode_cursor(page["before"]))


@router.get("/runs/{run_id}")
async def get_quest_run(run_id: Id, quest: MyQuestAgent, services: ServicesDep) -> QuestRunOut:
    """One of the user's runs."""
    return QuestRunOut.model_validate(await services.agents.quest_run(quest, run_id))


@router.post("/{key}/start", status_code=201)
async def start_quest(
    key: QuestKey,
    quest: MyQuestAgent,
    services: ServicesDep,
    idempotency_key: IdempotencyHeader = None,
) -> QuestRunOut:
    """Start a quest; it goes on in the quest agent's channel."""
    if key not in load_quests():
        raise NotFound("There is no quest of that key.")
    await services.entitlements.require(quest.user_id, quest.name)
    run_id = new_id("run")
    if idempotency_key is not None:
        run_id = derived_id("run", quest.id, idempotency_key)
    run = await services.agents.start_quest(quest, key=key, run_id=run_id)
    return QuestRunOut.model_validate(run)
