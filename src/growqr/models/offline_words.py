"""How the offline model reports what the tools returned."""

from collections.abc import Sequence
from typing import Any

from growqr.models.offline_requests import Call, Say, wants_to_forget


def report(prompt: str, results: Sequence[tuple[str, Any]]) -> Say | Call:
    """Return the step after these results, given as (tool, content) since the user's message."""
    tool, content = results[-1]
    if isinstance(content, str):
        return Say(f"That did not work: {content.removeprefix('Error: ')}")
    if not isinstance(content, dict):
        return Say(str(content))
    if tool == "recall":
        return _found(prompt, content.get("hits", []), len(results))
    return Say(_sentence(tool, content))


def _found(prompt: str, hits: list[dict[str, Any]], calls: int) -> Say | Call:
    if not wants_to_forget(prompt):
        return Say(_listing(hits))
    if len(hits) == 1:
        arguments = {"path": hits[0]["path"], "reason": "You asked me to forget it."}
        return Call("forget", arguments, number=calls + 1)
    if not hits:
        return Say("I found nothing about that in your memory, so there is nothing to forget.")
    names = "\n".join(f"- `{hit['path']}`" for hit in hits)
    return Say(f"Several notes fit. Say “forget PATH” for the one you mean:\n\n{names}")


def _listing(hits: list[dict[str, Any]]) -> str:
    if not hits:
        return "I found nothing about that in your memory."
    lines = [f"- {hit['snippet']} (`{hit['path']}`)" for hit in hits]
    return "This is what I wrote down:\n\n" + "\n".join(lines)


def _sentence(tool: str, content: dict[str, Any]) -> str:
    commit = f" (commit `{content['sha'][:10]}`)" if content.get("sha") else ""
    match tool:
        case "remember":
            return f"I wrote that down in `{content['path']}`{commit}."
        case "forget":
            return f"I removed `{content['path']}`{commit}. Its history stays in Git."
        case "set_goal":
            return f"Your goal “{content['title']}” is recorded in `{content['path']}`{commit}."
        case "update_goal":
            return f"The goal is now {content['status']}{commit}."
        case "delegate":
            return (
                f"I handed this to the {content['agent']} agent as task `{content['task_id']}`. "
                f"Follow it in #{content['agent']}; I tell you here when it is finished."
            )
        case "task_status":
            return _tasks(content.get("tasks", []))
        case "start_quest":
            return _quest(content)
        case "create_project":
            return f"The project `{content['name']}` is ready: `git clone {content['clone_url']}`"
        case "open_pull_request":
            return f"Pull request #{content['number']} in `{content['repo']}`: {content['title']}"
    return "Done."


def _tasks(tasks: list[dict[str, Any]]) -> str:
    if not tasks:
        return "There are no tasks yet."
    lines = [f"- {t['title']}: {t['status']} ({t['agent']}, `{t['id']}`)" for t in tasks]
    return "Your latest tasks:\n\n" + "\n".join(lines)


def _quest(content: dict[str, Any]) -> str:
    if "quests" in content:
        lines = [
            f"- **{q['title']}** (`{q['key']}`): {q['description']}" for q in content["quests"]
        ]
        return "Quests you can start:\n\n" + "\n".join(lines)
    return f"The quest `{content['key']}` has started. Go on in #quest."
