"""Typed state: a pydantic model that is kept in the actor's database."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pyrivet._database import MAX_PARAM_BYTES, Database
from pyrivet._outcome import Refusal

if TYPE_CHECKING:
    from pyrivet.actor import Actor

LOAD = "SELECT value FROM pyrivet_meta WHERE name = 'state'"
_SAVE = "INSERT OR REPLACE INTO pyrivet_meta (name, value) VALUES ('state', ?)"
MAX_BYTES = MAX_PARAM_BYTES - 1_024


class State:
    """Loads an actor's `state`, saves it when it has changed, and undoes failed changes."""

    def __init__(self, db: Database, actor: "Actor", model: type[BaseModel]) -> None:
        self._db = db
        self._actor: Any = actor
        self._model = model
        self._saved: str | None = None

    def load(self, text: str | None) -> bool:
        """Take what `LOAD` found; returns whether there was any. Raises ValidationError."""
        if text is not None:
            self._actor.state = self._model.model_validate_json(text)
            self._saved = text
        return text is not None

    def take(self, state: BaseModel) -> None:
        """Use the first state of a new actor."""
        self._actor.state = state

    async def save(self) -> None:
        """Save the state if it has changed; raises Refusal `state_too_big`, DatabaseError."""
        text: str = self._actor.state.model_dump_json()
        if text == self._saved:
            return
        if len(text.encode()) > MAX_BYTES:
            raise Refusal("state_too_big", f"the state is over {MAX_BYTES} bytes")
        await self._db.execute(_SAVE, text)
        self._saved = text

    def revert(self) -> None:
        """Go back to what was saved last."""
        if self._saved is not None and self._actor.state.model_dump_json() != self._saved:
            self._actor.state = self._model.model_validate_json(self._saved)
