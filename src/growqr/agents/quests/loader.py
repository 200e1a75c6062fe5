"""Reading quests."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

import yaml
from pydantic import ValidationError

from growqr.agents.quests.schema import Quest


class QuestInvalid(ValueError):
    """A quest file that can't be used; the text says which and why."""


def parse_quest(text: str, *, source: str) -> Quest:
    """Return the quest in a YAML text; `source` is named in errors.

    Raises:
        QuestInvalid: not YAML, not the schema, or a template that would not render.
    """
    try:
        return Quest.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise QuestInvalid(f"{source}: {error}") from error


@cache
def load_quests() -> Mapping[str, Quest]:
    """Return every built-in quest by its key, in the order of their files' names.

    Raises:
        QuestInvalid: a broken file, or one whose name is not its key.
    """
    quests: dict[str, Quest] = {}
    folder = resources.files("growqr.agents.quests")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            quest = parse_quest(entry.read_text(encoding="utf-8"), source=entry.name)
            if entry.name != f"{quest.key}.yaml":
                raise QuestInvalid(f"{entry.name}: its key is `{quest.key}`")
            quests[quest.key] = quest
    return MappingProxyType(quests)
