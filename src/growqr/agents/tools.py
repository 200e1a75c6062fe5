"""The Grow Agent's tools. Names and parameters are fixed: prompts and programs rely on them.

Each effect carries the turn's operation id for the call, so a repeat changes nothing. What is
to be known of it (drafts of memory, events, rows) is written together with the tool's result.
"""

# ruff: noqa: D417  # the model reads these docstrings; `ctx` is not its business

from typing import Any, Literal

from pydantic_ai import RunContext
from pydantic_ai.toolsets import FunctionToolset

from growqr.agents import tasks
from growqr.agents.delegation import Delegation
from growqr.agents.memory_past import moment
from growqr.agents.messages import cut
from growqr.agents.quest import wanted_quest
from growqr.agents.quests import load_quests
from growqr.agents.turn import Turn
from growqr.agents.turn_memory import MOST, TurnMemory
from growqr.errors import InvalidInput, NotFound
from growqr.git.repos import ref_of
from growqr.ids import derived_id

MAX_HITS = 8
MAX_SNIPPET_CHARS = 1_000

Context = RunContext[Turn]


async def remember(ctx: Context, path: str, content: str, reason: str) -> dict[str, Any]:
    """Write a Markdown note to the user's memory; an existing one at the path is replaced.

    Args:
        path: Where, such as `memory/people/ada.md`, `profile.md` or `decisions/rust.md`.
        content: The whole note.
        reason: Why it is worth remembering.
    """
    draft = (await _memory(ctx)).draft
    drafted = len(draft.writes)
    kept = await draft.remember(path, content, reason)
    return {"path": kept, "changed": len(draft.writes) > drafted}


async def recall(ctx: Context, query: str, at: str | None = None) -> dict[str, Any]:
    """Search the user's memory.

    Args:
        query: A few words.
        at: A date such as 2026-01-31, to search what was known on that day.
    """
    grow = ctx.deps.grow
    when = moment(at) if at else None
    await ctx.deps.memory.commit()
    hits = await grow.services.memory.search(grow.spec.repo, query, MAX_HITS, when)
    found = [{"path": hit.path, "snippet": hit.snippet[:MAX_SNIPPET_CHARS]} for hit in hits]
    return {"hits": found}


async def forget(ctx: Context, path: str, reason: str) -> dict[str, Any]:
    """Remove a note from the user's memory; say what stays in Git's history.

    Args:
        path: The note's path, as `recall` gives it.
        reason: Why it goes.
    """
    grow = ctx.deps.grow
    gone = await (await _memory(ctx)).draft.forget(path, reason)
    left = await grow.services.memory.remains(grow.spec.repo, gone)
    return {
        "path": gone,
        "remains_in_history": {"versions": left.versions, "last_commit": left.last},
    }


async def set_goal(ctx: Context, title: str, why: str, due: str | None = None) -> dict[str, Any]:
    """Record a goal of the user.

    Args:
        title: The goal in one line.
        why: Why it matters to the user.
        due: A date such as 2026-12-31, if there is one.
    """
    operation = ctx.deps.operation(ctx.tool_call_id)
    goal = await (await _memory(ctx)).draft.set_goal(title, why, due, operation)
    return {"id": goal.id, "title": goal.title, "path": f"goals/{goal.id}.md"}


async def update_goal(ctx: Context, id: str, status: str) -> dict[str, Any]:  # noqa: A002  # fixed
    """Change how a goal stands.

    Args:
        id: The goal's id.
        status: `open`, `paused`, `done` or `dropped`.
    """
    goal = await (await _memory(ctx)).draft.update_goal(id, status)
    return {"id": goal.id, "title": goal.title, "status": goal.status}


async def delegate(
    ctx: Context, agent: Literal["coding", "repo", "service"], task: str
) -> dict[str, Any]:
    """Hand a task to another agent, which works on it in the background.

    Args:
        agent: `coding` writes and runs code, `repo` works on Git repositories, `service` calls
            the services that your instructions list.
        task: The whole instruction: the agent knows nothing else of this conversation.
    """
    turn = ctx.deps
    if not task.strip():
        raise InvalidInput("The task is empty.")
    await turn.grow.services.entitlements.require(turn.grow.spec.user_id, agent)
    request = Delegation(
        agent=agent,
        title=tasks.title_of(task),
        prompt=cut(task, tasks.MAX_PROMPT_BYTES),
        task_id=derived_id("tsk", turn.operation(ctx.tool_call_id)),
        requested_by=turn.grow.spec.actor_id,
        message_id=turn.message.id,
    )
    planned = turn.grow.planned(request)
    turn.with_result.append(lambda change: turn.grow.add_task(change, planned))
    turn.task_ids.append(planned.id)
    return {"task_id": planned.id, "agent": agent, "title": planned.title, "status": "queued"}


async def task_status(ctx: Context, id: str = "") -> dict[str, Any]:  # noqa: A002  # fixed
    """Look at a task, or at the latest ones.

    Args:
        id: The task's id; empty for the latest tasks.
    """
    grow = ctx.deps.grow
    found = [await grow.task(id)] if id else (await grow.tasks(None, None, 10))["items"]
    shown = ("id", "agent", "title", "status", "reason", "progress", "result")
    return {"tasks": [{key: task[key] for key in shown} for task in found]}


async def start_quest(ctx: Context, key: str) -> dict[str, Any]:
    """Start a quest, a guided pathway that goes on in the #quest channel.

    Args:
        key: The quest's key; empty to list the quests.
    """
    quests = load_quests()
    if not key:
        listed = [
            {"key": q.key, "title": q.title, "description": q.description} for q in quests.values()
        ]
        return {"quests": listed}
    quest = wanted_quest(key, quests)
    if quest is None:
        raise NotFound(f"There is no quest `{key}`. There are: {', '.join(quests)}.")
    turn = ctx.deps
    await turn.grow.services.entitlements.require(turn.grow.spec.user_id, "quest")
    run_id = derived_id("run", turn.operation(ctx.tool_call_id))
    wish = {"key": quest.key, "run_id": run_id, "message_id": turn.message.id}
    run = await turn.grow.ask("quest", "start_quest", wish)
    return {"key": quest.key, "run_id": run["id"], "status": run["status"]}


async def create_project(ctx: Context, name: str, description: str) -> dict[str, Any]:
    """Create a project repository of the user's own; an existing one of that name is returned.

    Args:
        name: Letters, digits, dots and dashes.
        description: One sentence.
    """
    grow = ctx.deps.grow
    row = await grow.services.repos.ensure_project(grow.spec.user_id, name, description)
    clone_url = grow.services.repos.clone_url(row)
    return {"id": row.id, "name": row.name, "clone_url": clone_url}


async def open_pull_request(ctx: Context, repo: str, branch: str, title: str) -> dict[str, Any]:
    """Propose to merge a branch into the default branch.

    Args:
        repo: The repository's name or id.
        branch: The branch with the changes.
        title: What the change does, in one line.
    """
    grow = ctx.deps.grow
    row = await grow.services.repos.by_name(grow.spec.user_id, repo)
    opened = await grow.services.repos.pull_requests.open(
        ref_of(row), branch=branch, title=title, base=row.default_branch
    )
    return {"repo": row.name, "number": opened.number, "title": opened.title, "id": opened.id}


def toolset() -> FunctionToolset[Turn]:
    """Return the tools; they run one at a time, in the order of the model's calls."""
    return FunctionToolset(
        [
            remember,
            recall,
            forget,
            set_goal,
            update_goal,
            delegate,
            task_status,
            start_quest,
            create_project,
            open_pull_request,
        ],
        sequential=True,
        require_parameter_descriptions=True,
        docstring_format="google",
    )


async def _memory(ctx: Context) -> TurnMemory:
    """The turn's memory, with room for one more change."""
    memory = ctx.deps.memory
    if memory.drafted - memory.written >= MOST:
        await memory.commit()
    return memory
