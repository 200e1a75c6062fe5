"""The first message in #grow."""

from growqr.models.offline_requests import ABILITIES, CONFIGURE


def welcome(user_name: str, *, offline: bool) -> str:
    """Return the Grow Agent's first words to its user."""
    hello = (
        f"Hello {user_name}! I am your Grow Agent. I remember what matters to you in your own Git "
        "repository, hand work to other agents, and stay with you for years."
    )
    if not offline:
        return f"{hello}\n\nTell me about yourself, or try the quest “profile”."
    now = "I run without a language model now. What I can do:"
    return f"{hello}\n\n{now}\n\n{ABILITIES}\n\n{CONFIGURE}"
