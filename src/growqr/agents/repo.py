"""The repo agent: looks after its user's repositories, branches and pull requests."""

from collections.abc import Awaitable, Callable

from growqr.agents import journal, repo_requests
from growqr.agents.conflicts import settle
from growqr.agents.job import TaskFailed, TaskJob
from growqr.agents.repo_operations import RepoOperations
from growqr.agents.subagent import SubAgent
from growqr.errors import GrowError
from growqr.events import TaskResult
from growqr.git.forge import Author

INSTRUCTIONS = (
    "You look after one user's Git repositories with your tools. Do exactly what the task asks, "
    "then say in a few sentences what you did and what you found, with names and numbers as the "
    "tools gave them. If a tool refuses, say so and why; never claim what no tool did."
)


class RepoAgent(SubAgent):
    """Its operations bear repetition, so a task that a crash interrupted simply runs again."""

    async def run_task(self, job: TaskJob) -> TaskResult:
        kept = (job.task.model_extra or {}).get("kept")
        if kept is not None:
            return await self._settle(job, str(kept))
        operations = RepoOperations(self.spec, self.services.repos, self.services.forge)
        if self.services.model.offline:
            summary = await self._by_rules(job, operations)
        else:
            model = await self.services.model.load()
            from growqr.agents.tool_work import tool_of, work_with_tools

            tools = [tool_of(job, operation) for operation in _tools(operations)]
            summary = await work_with_tools(job, model, INSTRUCTIONS, tools)
        return TaskResult(summary=summary)

    async def _settle(self, job: TaskJob, kept: str) -> TaskResult:
        """Carry out what the user decides about a conflict."""
        spec = self.spec
        commit = await settle(job, kept, Author(spec.actor_id, spec.name, spec.capabilities))
        result = TaskResult(
            summary=f"Done: {commit.subject.partition(': ')[2]}.",
            repo_id=spec.repo.id,
            branch="main",
            commit=commit.sha,
        )
        if not job.saved("told"):
            data = {"sha": commit.sha, "paths": list(commit.paths), "subject": commit.subject}
            async with self.event_log.change() as change:
                change.emit("memory.committed", data, task_id=job.task_id)
                journal.put(change, job.task_id, "told", True)
        return result

    async def _by_rules(self, job: TaskJob, operations: RepoOperations) -> str:
        requests, unknown = repo_requests.parse_requests(job.task.prompt)
        if not requests:
            raise TaskFailed(f"I did not understand this.\n\n{repo_requests.HELP}")
        done: list[str] = []
        for number, request in enumerate(requests):
            try:
                done.append(await operations.carry_out(request))
            except GrowError as error:
                so_far = "\n\n".join(done)
                raise TaskFailed(
                    f"{error.detail}\n\nDone before that:\n\n{so_far}".strip()
                ) from error
            await job.log("repo", done[-1])
            await job.progress((number + 1) / len(requests), done[-1].splitlines()[0])
        if unknown:
            listed = "\n".join(f"- {line}" for line in unknown)
            done.append(f"I did not understand these lines:\n\n{listed}")
        return "\n\n".join(done)


def _tools(operations: RepoOperations) -> list[Callable[..., Awaitable[str]]]:
    return [
        operations.create_project,
        operations.create_branch,
        operations.open_pull_request,
        operations.list_repos,
        operations.list_branches,
        operations.list_commits,
        operations.list_pull_requests,
    ]
