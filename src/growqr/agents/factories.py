"""Which actor is made for which name; what a worker process hosts."""

from collections.abc import Callable

from pyrivet import Actor

from growqr.agents.coding import CodingAgent
from growqr.agents.grow import GrowAgent
from growqr.agents.quest import QuestAgent
from growqr.agents.repo import RepoAgent
from growqr.agents.service import ServiceAgent
from growqr.agents.services import AgentServices


def actor_factories(services: AgentServices) -> dict[str, Callable[[], Actor]]:
    """Return a factory for each agent; the keys are the names in the registry and the engine."""
    return {
        "grow": lambda: GrowAgent(services),
        "coding": lambda: CodingAgent(services),
        "repo": lambda: RepoAgent(services),
        "quest": lambda: QuestAgent(services),
        "service": lambda: ServiceAgent(services),
    }
