"""What the Git and memory routes take and give."""

import base64
import binascii
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from growqr.db.tables import DeployKey, PullRequest, Repo
from growqr.errors import InvalidInput
from growqr.git.forge import Branch, Change, CommitInfo, Diff, TreeEntry
from growqr.git.statuses import CommitStatus, State, overall
from growqr.git.tokens import IssuedToken, TokenInfo

_SHA = "5f1c2c9f1d0a4f3c8e5b7a6d9c0e1f2a3b4c5d6e"
_REPO_ID = "rep_01kdq3m8w2v6x0c5t9r7n4j1hb"
_MAX_PATHS = 100

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", examples=[_SHA])]


class ContentInvalid(InvalidInput):
    """A file's content is not what its `encoding` says."""

    code = "content_invalid"


class RepoOut(BaseModel):
    """A repository. Clone `clone_url` with a token as the password; `head` is a SHA."""

    id: str = Field(examples=[_REPO_ID])
    name: str = Field(examples=["grow"])
    kind: Literal["primary", "project"]
    description: str
    owner_id: str
    clone_url: str = Field(examples=[f"http://127.0.0.1:8000/git/{_REPO_ID}/grow.git"])
    default_branch: str = Field(examples=["main"])
    head: str | None = Field(examples=[_SHA])
    created_at: datetime

    @classmethod
    def of(cls, row: Repo, clone_url: str, head: str | None) -> "RepoOut":
        return cls(
            id=row.id,
            name=row.name,
            kind="primary" if row.kind == "primary" else "project",
            description=row.description,
            owner_id=row.owner_id,
            clone_url=clone_url,
            default_branch=row.default_branch,
            head=head,
            created_at=row.created_at,
        )


class ProjectIn(BaseModel):
    """A new project repository."""

    name: str = Field(min_length=1, max_length=64, examples=["todo-cli"])
    description: str = Field("", max_length=2000, examples=["A to-do list for the terminal"])


class CommitOut(BaseModel):
    """A commit. `paths` are the first 100 that it changed."""

    sha: str = Field(examples=[_SHA])
    parents: list[str]
    author: str = Field(examples=["Grow Agent"])
    at: datetime
    subject: str = Field(examples=["remember(memory): likes tea"])
    body: str
    trailers: dict[str, str] = Field(examples=[{"Kind": "remember", "Growqr-Schema": "1"}])
    paths: list[str] = Field(examples=[["memory/tea.md"]])

    @classmethod
    def of(cls, commit: CommitInfo) -> "CommitOut":
        return cls(
            sha=commit.sha,
            parents=list(commit.parents),
            author=commit.author,
            at=commit.at,
            subject=commit.subject,
            body=commit.body,
            trailers=dict(commit.trailers),
            paths=list(commit.paths[:_MAX_PATHS]),
        )


class MessageIn(BaseModel):
    """The parts of a subject `kind(scope): what`."""

    kind: str = Field(max_length=32, examples=["edit"])
    scope: str = Field(max_length=40, examples=["memory"])
    what: str = Field(max_length=500, examples=["correct the tea"])


class ChangeIn(BaseModel):
    """One file: its new content, or `delete`."""

    path: str = Field(examples=["memory/tea.md"])
    content: str | None = Field(None, examples=["Green, no sugar.\n"])
    encoding: Literal["utf-8", "base64"] = "utf-8"
    delete: bool = False
    executable: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> "ChangeIn":
        if self.delete == (self.content is not None):
            raise ValueError("give either `content` or `delete: true`")
        return self

    def to_change(self) -> Change:
        """The change; raises ContentInvalid."""
        if self.content is None:
            return Change(self.path, None)
        try:
            if self.encoding == "base64":
                data = base64.b64decode(self.content, validate=True)
            else:
                data = self.content.encode()
        except (binascii.Error, ValueError) as error:
            shown = ascii(self.path[:100])[1:-1]
            raise ContentInvalid(f"the content of `{shown}` is not {self.encoding}") from error
        return Change(self.path, data, self.executable)


class CommitIn(BaseModel):
    """Changes to commit together, with `message` or a one-line `subject`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "branch": "main",
                "message": {"kind": "edit", "scope": "memory", "what": "correct the tea"},
                "changes": [{"path": "memory/tea.md", "content": "Green, no sugar.\n"}],
                "expected_head": _SHA,
            }
        }
    )

    branch: str = "main"
    message: MessageIn | None = None
    subject: str | None = Field(None, min_length=1, max_length=500)
    changes: list[ChangeIn] = Field(min_length=1)
    expected_head: Sha | None = None
    base: Sha | None = Field(None, description="The commit that was read to make the changes.")

    @model_validator(mode="after")
    def _one_message(self) -> "CommitIn":
        if (self.message is None) == (self.subject is None):
            raise ValueError("give either `message` or `subject`")
        return self


class BranchIn(BaseModel):
    """A new branch at a branch or SHA."""

    name: str = Field(examples=["topic"])
    at: str = Field("main", examples=["main"])


class BranchOut(BaseModel):
    """A branch and the commit it points at."""

    name: str
    head: str = Field(examples=[_SHA])

    @classmethod
    def of(cls, branch: Branch) -> "BranchOut":
        return cls(name=branch.name, head=branch.head)


class PullRequestIn(BaseModel):
    """A proposal to merge `branch` into `base`."""

    branch: str = Field(examples=["topic"])
    base: str = "main"
    title: str = Field(min_length=1, max_length=200, examples=["Add a to-do list"])
    body: str = Field("", max_length=20_000)


class PullRequestOut(BaseModel):
    """A pull request; `merge_commit` is a SHA once it is merged."""

    id: str
    number: int
    title: str
    body: str
    branch: str
    base: str
    status: Literal["open", "merged", "closed"]
    merge_commit: str | None
    created_at: datetime

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, row: PullRequest) -> "PullRequestOut":
        return cls.model_validate(row)


class CommitStatusOut(BaseModel):
    """What one `context` says of a commit, and where to read more."""

    context: str = Field(examples=["growqr/task"])
    state: State
    description: str = Field(examples=["pytest -q: exit code 1"])
    target_url: str | None
    at: datetime

    model_config = ConfigDict(from_attributes=True)


class CommitStatusesOut(BaseModel):
    """Everything that is said of a commit; `state` is the worst of it, None: nothing is."""

    state: State | None
    statuses: list[CommitStatusOut]

    @classmethod
    def of(cls, statuses: Collection[CommitStatus]) -> "CommitStatusesOut":
        shown = [CommitStatusOut.model_validate(status) for status in statuses]
        return cls(state=overall(statuses), statuses=shown)


class PullRequestStateOut(PullRequestOut):
    """A pull request, with the paths (at most 100) that keep it from being merged.

    `branch_status` is what is said of the commit that `branch` is at; None: it is gone.
    """

    conflicts: list[str] = Field(examples=[["memory/tea.md"]])
    branch_status: CommitStatusesOut | None

    @classmethod
    def with_state(
        cls,
        row: PullRequest,
        paths: tuple[str, ...],
        statuses: Collection[CommitStatus] | None,
    ) -> "PullRequestStateOut":
        return cls(
            **PullRequestOut.of(row).model_dump(),
            conflicts=list(paths[:_MAX_PATHS]),
            branch_status=None if statuses is None else CommitStatusesOut.of(statuses),
        )


class TokenIn(BaseModel):
    """A token for clone (`read`) or clone and push (`write`)."""

    scope: Literal["read", "write"] = "read"
    expires_in_days: int = Field(30, ge=1, le=365)


class TokenOut(BaseModel):
    """A new token, shown this once: `username` and `token` are HTTP basic auth on `clone_url`."""

    id: str
    token: str = Field(examples=["ggt_…"])
    username: str = Field(examples=["grow"])
    scope: Literal["read", "write"]
    expires_at: datetime

    @classmethod
    def of(cls, issued: IssuedToken) -> "TokenOut":
        return cls(
            id=issued.id,
            token=issued.token,
            username=issued.username,
            scope=issued.scope,
            expires_at=issued.expires_at,
        )


class TokenInfoOut(BaseModel):
    """A token, without its text."""

    id: str
    scope: Literal["read", "write"]
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, info: TokenInfo) -> "TokenInfoOut":
        return cls(
            id=info.id, scope=info.scope, created_at=info.created_at, expires_at=info.expires_at
        )


class DeployKeyIn(BaseModel):
    """A public key, as in a `.pub` file."""

    title: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    public_key: str = Field(max_length=4096, examples=["ssh-ed25519 AAAAC3NzaC1lZDI1… me@laptop"])
    read_only: bool = True


class DeployKeyOut(BaseModel):
    """A stored public key."""

    id: str
    title: str
    public_key: str
    read_only: bool
    created_at: datetime

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, row: DeployKey) -> "DeployKeyOut":
        return cls.model_validate(row)


class TreeEntryOut(BaseModel):
    """A file, folder or link; `size` in bytes."""

    path: str = Field(examples=["memory/tea.md"])
    type: Literal["file", "dir", "link"]
    size: int
    oid: str

    @classmethod
    def of(cls, entry: TreeEntry) -> "TreeEntryOut":
        return cls(path=entry.path, type=entry.type, size=entry.size, oid=entry.oid)


class BlobOut(BaseModel):
    """A file: text as `utf-8`, anything else as `base64`."""

    path: str
    ref: str
    size: int
    encoding: Literal["utf-8", "base64"]
    content: str

    @classmethod
    def of(cls, path: str, ref: str, data: bytes) -> "BlobOut":
        try:
            text = data.decode()
        except UnicodeDecodeError:
            encoded = base64.b64encode(data).decode()
            return cls(path=path, ref=ref, size=len(data), encoding="base64", content=encoded)
        return cls(path=path, ref=ref, size=len(data), encoding="utf-8", content=text)


class FileDiffOut(BaseModel):
    """What happened to a file; `patch` is None when it is binary or too long to show."""

    path: str
    old_path: str | None
    status: Literal["added", "modified", "deleted", "renamed"]
    additions: int
    deletions: int
    patch: str | None

    model_config = ConfigDict(from_attributes=True)


class DiffOut(BaseModel):
    """What `head` adds since it left `base`; `base` is the SHA where both were one."""

    base: str
    head: str
    files: list[FileDiffOut]
    truncated: bool

    @classmethod
    def of(cls, diff: Diff) -> "DiffOut":
        files = [FileDiffOut.model_validate(file) for file in diff.files]
        return cls(base=diff.base, head=diff.head, files=files, truncated=diff.truncated)
