"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A logged-in person, as the access token tells."""

    user_id: str
    email: str
    name: str
