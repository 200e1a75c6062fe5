"""What the platform itself says about a coding task, apart from what the model says.

Files and commit come from Git. Commands and exit codes come out of the sandbox, which the model
controls: the receipt says so. The model's own words are quoted, so they can't pass for ours.
"""

from collections.abc import Sequence

from growqr.events import CommandRun, Receipt
from growqr.git.statuses import MAX_DESCRIPTION_CHARS, CommitStatus, State

STATUS = "growqr/task"
"""The context of what is said of a task's commit."""
MAX_COMMANDS = 30
MAX_WARNED = 3
MAX_FILES = 30
MAX_OUTPUT_CHARS = 1_500
MAX_CLAIM_CHARS = 4_000


def failed_commands(commands: Sequence[CommandRun]) -> list[CommandRun]:
    """Return the last run of each command that did not end with exit code 0, the newest last.

    Whether one of them is a failure depends on what it was for, and only a person knows that:
    `grep` ends with 1 when it finds nothing.
    """
    last: dict[str, CommandRun] = {}
    for run in commands:
        last.pop(run.command, None)
        last[run.command] = run
    failed = [run for run in last.values() if run.exit_code != 0]
    return [run.model_copy(update={"output": ""}) for run in failed]


def ending_of(run: CommandRun) -> str:
    """Say in words how a command ended."""
    if run.denied:
        return "denied"
    return "did not finish" if run.exit_code is None else f"exit code {run.exit_code}"


def on_the_wire(receipt: Receipt) -> Receipt:
    """Return the receipt as a task's events carry it: of the output only the end of the last."""
    commands = [run.model_copy(update={"output": ""}) for run in receipt.commands[-MAX_COMMANDS:]]
    if commands:
        commands[-1].output = receipt.commands[-1].output.strip()[-MAX_OUTPUT_CHARS:]
    cut = {
        "commands": commands,
        "files": receipt.files[:MAX_FILES],
        "left_out": dict(list(receipt.left_out.items())[:MAX_FILES]),
        "claim": _claim(receipt.claim),
    }
    return receipt.model_copy(update=cut)


def status_of(receipt: Receipt, target_url: str) -> CommitStatus:
    """Return what a task's commit is told by: its commands' ends, whatever the model says."""
    failed = receipt.failed_commands
    if failed:
        newest = f"{_plain(failed[-1].command)}: {ending_of(failed[-1])}"
        more = f"{len(failed)} commands ended without exit code 0; " if len(failed) > 1 else ""
        said = f"{more}{newest}"
    elif receipt.commands:
        said = f"{len(receipt.commands)} command(s) ran; each ended with exit code 0 at last"
    else:
        said = "No command was run"
    shown = "".join(c if c.isprintable() else "?" for c in said)
    state: State = "failure" if failed else "success"
    return CommitStatus(STATUS, state, shown[:MAX_DESCRIPTION_CHARS], target_url)


def text_of(receipt: Receipt) -> str:
    """Return the receipt as Markdown."""
    parts = [*_warning(receipt.failed_commands), _commit(receipt)]
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


def _warning(failed: Sequence[CommandRun]) -> list[str]:
    """Say first what `completed`, or a claim of success, would hide."""
    if not failed:
        return []
    newest = ", ".join(
        f"`{_plain(run.command)}` ({ending_of(run)})" for run in failed[: -MAX_WARNED - 1 : -1]
    )
    more = f", and {len(failed) - MAX_WARNED} more" if len(failed) > MAX_WARNED else ""
    return [f"**Careful:** these commands ended without exit code 0: {newest}{more}."]


def _commit(receipt: Receipt) -> str:
    if receipt.commit is None:
        return "No file changed, so there is no commit."
    where = f"Committed as `{receipt.commit[:10]}`"
    if receipt.branch:
        where += f" (branch `{receipt.branch}`)"
    return _listed(f"{where}:", [f"`{_plain(path)}`" for path in receipt.files], MAX_FILES)


def _commands(commands: Sequence[CommandRun]) -> str:
    lines = [f"`{_plain(run.command)}`: {ending_of(run)}" for run in commands]
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
