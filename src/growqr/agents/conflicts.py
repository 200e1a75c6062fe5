"""When the user changed what an agent was changing too: show both sides, ask, carry it out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from growqr.agents.decisions import OPTIONS, Decision, decided
from growqr.agents.delegation import Delegation
from growqr.agents.questions import Asking
from growqr.git.forge import Author, Change, CommitInfo, MergeConflict, Settlement
from growqr.ids import derived_id

if TYPE_CHECKING:
    from growqr.agents.job import TaskJob
    from growqr.agents.spec import AgentSpec

_MAX_FILES_SHOWN = 5
_MAX_LINES_SHOWN = 40
_MAX_CHARS_SHOWN = 2_000


def settling_task(
    conflict: MergeConflict, operation: str, spec: AgentSpec, message_id: str | None
) -> Delegation:
    """Return the wish that the repo agent asks the user about a conflict on `main`."""
    listed = _listed(conflict.paths)
    return Delegation(
        agent="repo",
        title=f"Which version of {listed} stays?",
        prompt=(
            f"The {spec.name} agent and the user changed the same lines of {listed}. Show both "
            "versions, ask the user, and commit what they decide."
        ),
        task_id=derived_id("tsk", operation, "settle"),
        requested_by=spec.actor_id,
        message_id=message_id,
        kept=conflict.kept,
    )


async def settle(job: TaskJob, kept: str, author: Author) -> CommitInfo:
    """Ask until the user has decided about `kept`, a conflict on `main`; returns the commit.

    Runs again after a crash without asking twice. An answer counts for the versions that it was
    shown: if the user has changed the files once more since, the next question shows that.
    """
    services, repo = job.agent.services, job.agent.spec.repo
    number, hint = 0, ""
    while True:
        key = f"settle:{kept[:16]}:{number}"
        shown = job.saved(key)
        if shown is None:
            head = await services.forge.head(repo) or ""
            paths = await services.forge.conflicts(repo, source=kept, target=head, kept=True)
            question = hint + await _question(job, kept, head, paths) if paths else ""
            shown = {"head": head, "paths": list(paths), "question": question}
            await job.save(key, shown)
        decision: Decision | None = Decision("source")  # nothing conflicts any more
        message_id = job.task.message_id
        if shown["paths"]:
            asking = Asking(shown["question"], OPTIONS, kind="conflict")
            answer = await job.ask_message(asking, key=key)
            decision, message_id = decided(answer.text, shown["paths"]), answer.id
        number, hint = number + 1, "I did not understand that answer.\n\n"
        if decision is None:
            continue
        own = (
            [Change(shown["paths"][0], decision.text.encode())] if decision.text is not None else []
        )
        try:
            return await services.commits.settle(
                repo,
                kept,
                Settlement(decision.prefer, shown["head"], own),
                actor=author,
                what=f"{decision.in_words()} of {_listed(shown['paths'])}",
                operation=f"settle:{kept}",
                task_id=job.task_id,
                message_id=message_id,
            )
        except MergeConflict:
            hint = "Meanwhile you have changed it again.\n\n"


async def _question(job: TaskJob, kept: str, head: str, paths: Sequence[str]) -> str:
    forge, repo = job.agent.services.forge, job.agent.spec.repo
    theirs = {file.path: file.patch for file in (await forge.diff(repo, kept, head)).files}
    mine = {file.path: file.patch for file in (await forge.diff(repo, head, kept)).files}
    parts = [f"You and I changed the same lines of {_listed(paths)}. Yours is in place now."]
    for path in paths[:_MAX_FILES_SHOWN]:
        parts.append(f"`{path}`: what you changed\n\n{_shown(theirs.get(path))}")
        parts.append(f"`{path}`: what I wanted to change\n\n{_shown(mine.get(path))}")
    if len(paths) > _MAX_FILES_SHOWN:
        parts.append(f"… and {len(paths) - _MAX_FILES_SHOWN} more files.")
    own = ", or reply to this question with the whole text that it should have in a code block"
    parts.append(
        "Which one stays? Answer `keep mine` (what you wrote), `keep yours` (what I wrote) or "
        f"`both` (one after the other){own if len(paths) == 1 else ''}."
    )
    return "\n\n".join(parts)


def _shown(patch: str | None) -> str:
    if patch is None:
        return "(a file without lines to show, or too long)"
    lines = patch.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("@@")), len(lines))
    kept = lines[start : start + _MAX_LINES_SHOWN]
    text = "\n".join(kept)[:_MAX_CHARS_SHOWN] or "(removed, or made anew)"
    more = "\n…" if len(lines) - start > _MAX_LINES_SHOWN or len(text) == _MAX_CHARS_SHOWN else ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}diff\n{text}{more}\n{fence}"


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
    return " and ".join(f"`{path}`" for path in paths[:2]) + more if paths else "nothing"
