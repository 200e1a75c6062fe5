"""What a quest is: the shape of the YAML files in this folder.

A step has a title and does exactly one thing: it asks, writes a file, sets a goal, delegates
a task, or says something. Templates may use the answers of earlier steps and the names in
`BUILT_IN`; the loader refuses a quest in which one would not render.
"""

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from growqr.agents.quests.template import TemplateInvalid, names_in
from growqr.git.paths import is_valid_path

BUILT_IN = frozenset({"user", "date", "run_id"})
"""The user's name, the day the run started (ISO), and the run's id."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Write(_Part):
    """Commit one Markdown file of the user's repository."""

    path: str
    """Template; must be below what the quest agent may write (`memory/`, `goals/`, …)."""
    content: str


class Goal(_Part):
    """Commit `goals/<id>.md`, an open goal like those the Grow Agent sets."""

    title: str
    why: str
    due: str = ""


class Delegate(_Part):
    """Give another agent a task and wait for its end; a failed task fails the run."""

    agent: Literal["coding", "repo", "service"]
    title: str
    prompt: str


class Step(_Part):
    """One step; exactly one of `ask`, `write`, `goal`, `delegate` and `say` is given."""

    title: str = Field(min_length=1, max_length=80)
    ask: str | None = None
    """A question for the user; the answer is kept under `name`."""
    write: Write | None = None
    goal: Goal | None = None
    delegate: Delegate | None = None
    """The summary of the task's result is kept under `name`."""
    say: str | None = None
    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        actions = (self.ask, self.write, self.goal, self.delegate, self.say)
        if sum(action is not None for action in actions) != 1:
            raise ValueError("a step needs exactly one of ask, write, goal, delegate, say")
        if self.ask is not None and self.name is None:
            raise ValueError("an `ask` step needs a `name` for the answer")
        if self.name is not None and self.ask is None and self.delegate is None:
            raise ValueError("only `ask` and `delegate` steps give something a `name`")
        return self

    def templates(self) -> list[str]:
        """Return every template in it."""
        found = [text for text in (self.ask, self.say) if text is not None]
        for part in (self.write, self.goal, self.delegate):
            if part is not None:
                found += [value for value in part.model_dump().values() if isinstance(value, str)]
        return found


class Quest(_Part):
    """A predefined pathway."""

    key: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=48)
    title: str = Field(min_length=1, max_length=80)
    description: str = Field(min_length=1, max_length=400)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=40)

    @field_validator("steps")
    @classmethod
    def _must_render(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        known = set(BUILT_IN)
        for step in steps:
            _check_templates(step, known)
            if step.name is not None:
                if step.name in known:
                    raise ValueError(f"step `{step.title}`: the name `{step.name}` is taken")
                known.add(step.name)
        return steps

    def summary(self) -> Mapping[str, object]:
        """Return it as `GET /quests` shows it."""
        return {
            "key": self.key,
            "title": self.title,
            "description": self.description,
            "steps": [{"title": step.title} for step in self.steps],
        }


def _check_templates(step: Step, known: set[str]) -> None:
    for template in step.templates():
        try:
            unknown = names_in(template) - known
        except TemplateInvalid as error:
            raise ValueError(f"step `{step.title}`: {error}") from None
        if unknown:
            listed = ", ".join(sorted(unknown))
            raise ValueError(f"step `{step.title}`: no earlier step gives a value for {listed}")
    if step.write is not None and not _is_safe_path(step.write.path):
        raise ValueError(f"step `{step.title}`: the path `{step.write.path}` is not safe")


def _is_safe_path(template: str) -> bool:
    """Answers may enter a path only through `slug`, which can't leave its folder."""
    safe_names = BUILT_IN - {"user"}
    plain = re.sub(rf"\{{([a-z0-9_]+:slug|{'|'.join(sorted(safe_names))})\}}", "x", template)
    return "{" not in plain and is_valid_path(plain)
