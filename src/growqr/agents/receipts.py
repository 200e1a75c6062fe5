"""What the platform itself says about a coding task, apart from what the model says.

Files and commit come from Git. Commands and exit codes come out of the sandbox, which the model
controls: the receipt says so. The model's own words are quoted, so they can't pass for ours.
"""

from collections.abc import Sequence

from pydantic import BaseModel

MAX_COMMANDS = 30
MAX_FILES = 30
MAX_OUTPUT_CHARS = 1_500
MAX_CLAIM_CHARS = 4_000


class CommandRun(BaseModel):
    """A command that ran in the sandbox; no exit code means that it never ended by itself."""

    command: str
    exit_code: int | None
    output: str = ""


class Receipt(BaseModel):
    """What a task left behind."""

    commands: list[CommandRun] = []
    files: list[str] = []
    """Paths of the repository that the commit changed."""
    left_out: dict[str, str] = {}
    """Paths of the workspace that were not committed, and why."""
    commit: str | None = None
    branch: str | None = None
    tokens: int = 0
    """What the task used of the model, in and out, as the gateway counted; 0: offline."""
    claim: str = ""
    """The model's last words."""


def text_of(receipt: Receipt) -> str:
    """Return the receipt as Markdown."""
    parts = [_commit(receipt)]
    if receipt.commands:
        parts.append(_commands(receipt.commands))
    if receipt.left_out:
        parts.append(
            _listed(
                "Left out of the commit:",
                [f"`{_plain(path)}`: {why}" for path, why in receipt.left_out.items()],
                MAX_FILES,
            )
        )
    if receipt.tokens:
        parts.append(f"The model used {receipt.tokens:,} tokens.")
    if receipt.claim.strip():
        quoted = "\n".join(f"> {line}".rstrip() for line in _claim(receipt.claim).splitlines())
        parts.append(f"In the coding agent's own words, unchecked:\n\n{quoted}")
    return "\n\n".join(parts)


def _commit(receipt: Receipt) -> str:
    if receipt.commit is None:
        return "No file changed, so there is no commit."
    where = f"Committed as `{receipt.commit[:10]}`"
    if receipt.branch:
        where += f" (branch `{receipt.branch}`)"
    return _listed(f"{where}:", [f"`{_plain(path)}`" for path in receipt.files], MAX_FILES)


def _commands(commands: Sequence[CommandRun]) -> str:
    lines = [f"`{_plain(run.command)}`: {_ending(run)}" for run in commands]
    shown = _listed("Ran in the sandbox, as it reported:", lines, MAX_COMMANDS)
    output = commands[-1].output.strip()
    if not output:
        return shown
    if len(output) > MAX_OUTPUT_CHARS:
        output = "…\n" + output[-MAX_OUTPUT_CHARS:]
    fence = "```"
    while fence in output:
        fence += "`"
    return f"{shown}\n\nThe last one printed:\n\n{fence}text\n{output}\n{fence}"


def _ending(run: CommandRun) -> str:
    return "did not finish" if run.exit_code is None else f"exit code {run.exit_code}"


def _listed(head: str, lines: Sequence[str], most: int) -> str:
    shown = [f"- {line}" for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"- and {len(lines) - most} more")
    return "\n".join([head, "", *shown])


def _plain(text: str) -> str:
    """One line that can stand between backticks."""
    line = " ".join(text.replace("`", "'").split())
    return line if len(line) <= 200 else line[:199] + "…"


def _claim(text: str) -> str:
    text = text.strip()
    return text if len(text) <= MAX_CLAIM_CHARS else text[:MAX_CLAIM_CHARS] + "\n… (cut)"
