"""A wish that another agent does something."""

from pydantic import BaseModel, Field


class Delegation(BaseModel):
    """What `delegate` is asked; the same `task_id` is the same task."""

    agent: str = Field(max_length=64)
    title: str = Field(max_length=200)
    prompt: str
    task_id: str = Field(max_length=64)
    requested_by: str = Field(max_length=64)
    """Actor id of who wants it and hears when it is finished."""
    message_id: str | None = Field(None, max_length=64)
    """The user's message that caused it."""
    kept: str | None = Field(None, max_length=40)
    """A commit that conflicts with `main`, for the user to decide about (`agents.conflicts`)."""
