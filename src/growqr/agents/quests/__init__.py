"""The built-in quests: YAML files in this folder, checked when they are loaded."""

from growqr.agents.quests.loader import QuestInvalid, load_quests, parse_quest
from growqr.agents.quests.schema import Quest, Step

__all__ = ["Quest", "QuestInvalid", "Step", "load_quests", "parse_quest"]
