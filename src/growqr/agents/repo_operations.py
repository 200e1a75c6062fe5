"""What the repo agent can do: on its user's repositories only, and only what it may."""

from collections.abc import Sequence

from growqr.agents.repo_requests import (
    CreateBranch,
    CreateProject,
    OpenPullRequest,
    Request,
    Show,
)
from growqr.agents.spec import AgentSpec
from growqr.db.tables import Repo
from growqr.errors import Forbidden
from growqr.git.forge import Forge
from growqr.git.repos import RepoService, ref_of

MAX_LISTED = 50

MAY_BRANCH = "git.branch"
"""Make projects and branches."""
MAY_PROPOSE = "git.pull_request"
"""Open pull requests."""


class RepoOperations:
    """Each call says in Markdown what it did or found. Repeating one does nothing twice.

    A repository is named by its name or id; None is the user's own. Errors are GrowError:
    what is not the user's is NotFound.
    """

    def __init__(self, spec: AgentSpec, repos: RepoService, forge: Forge) -> None:
        self._spec = spec
        self._repos = repos
        self._forge = forge

    async def carry_out(self, request: Request) -> str:
        """Do one parsed request."""
        match request:
            case CreateProject(name, description):
                return await self.create_project(name, description)
            case CreateBranch(name, repo, at):
                return await self.create_branch(name, repo, at)
            case OpenPullRequest(branch, title, repo):
                return await self.open_pull_request(branch, title, repo)
            case Show("repos"):
                return await self.list_repos()
            case Show("branches", repo):
                return await self.list_branches(repo)
            case Show("commits", repo, branch):
                return await self.list_commits(repo, branch)
            case Show(_, repo):
                return await self.list_pull_requests(repo)

    async def create_project(self, name: str, description: str = "") -> str:
        """Make a project: a Git repository of its own. `name`: a-z, 0-9, dot, dash, underscore."""
        self._check(MAY_BRANCH)
        row = await self._repos.ensure_project(self._spec.user_id, name.lower(), description)
        return f"The project `{row.name}` is there. Clone it from {self._repos.clone_url(row)}"

    async def create_branch(self, name: str, repo: str | None = None, at: str | None = None) -> str:
        """Make a branch in a repository, at a branch or full SHA (default: its main branch)."""
        self._check(MAY_BRANCH)
        row = await self._row(repo)
        branch = await self._forge.create_branch(ref_of(row), name, at=at or row.default_branch)
        return f"Branch `{branch.name}` of `{row.name}` is at `{branch.head[:10]}`."

    async def open_pull_request(self, branch: str, title: str, repo: str | None = None) -> str:
        """Propose to merge a branch of a repository into its main branch."""
        self._check(MAY_PROPOSE)
        row = await self._row(repo)
        opened = await self._repos.pull_requests.open(
            ref_of(row), branch=branch, title=title, base=row.default_branch
        )
        return (
            f"Pull request #{opened.number} of `{row.name}` is {opened.status}: {opened.title} "
            f"(`{opened.branch}` into `{opened.base}`)."
        )

    async def list_repos(self) -> str:
        """List the user's repositories."""
        rows = await self._repos.list(self._spec.user_id, limit=MAX_LISTED)
        lines = []
        for row in rows:
            head = await self._forge.head(ref_of(row), row.default_branch)
            about = f": {row.description}" if row.description else ""
            lines.append(f"`{row.name}` ({row.kind}), at `{(head or 'nothing')[:10]}`{about}")
        return _listed("Repositories", lines)

    async def list_branches(self, repo: str | None = None) -> str:
        """List the branches of a repository."""
        row = await self._row(repo)
        branches = await self._forge.branches(ref_of(row))
        lines = [f"`{branch.name}` at `{branch.head[:10]}`" for branch in branches]
        return _listed(f"Branches of `{row.name}`", lines)

    async def list_commits(self, repo: str | None = None, branch: str | None = None) -> str:
        """List the newest commits of a branch (default: the main branch)."""
        row = await self._row(repo)
        ref = branch or row.default_branch
        commits = await self._forge.commits(ref_of(row), ref=ref, limit=20)
        lines = [f"`{commit.sha[:10]}` {commit.subject}" for commit in commits]
        return _listed(f"Newest commits of `{row.name}` on `{ref}`", lines)

    async def list_pull_requests(self, repo: str | None = None) -> str:
        """List the pull requests of a repository, newest first."""
        row = await self._row(repo)
        found = await self._repos.pull_requests.list(ref_of(row), limit=MAX_LISTED)
        lines = [f"#{one.number} {one.status}: {one.title} (`{one.branch}`)" for one in found]
        return _listed(f"Pull requests of `{row.name}`", lines)

    async def _row(self, repo: str | None) -> Repo:
        return await self._repos.by_name(self._spec.user_id, repo or self._spec.repo.id)

    def _check(self, capability: str) -> None:
        if capability not in self._spec.capabilities:
            raise Forbidden(f"This agent may not do that: it lacks `{capability}`.")


def _listed(head: str, lines: Sequence[str]) -> str:
    if not lines:
        return f"{head}: none."
    more = [f"- and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "\n".join([f"{head}:", "", *(f"- {line}" for line in lines[:MAX_LISTED]), *more])
