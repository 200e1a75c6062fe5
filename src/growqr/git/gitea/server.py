"""A Gitea server: its REST interface, and its side of Git's smart protocol.

People become private organisations, repositories keep our id as their name. The token belongs
to one account of the platform and reaches every repository, so it never leaves this module:
what people get are our own tokens (`growqr.git.tokens`), checked by the gateway in front.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import structlog

from growqr.git.forge import ForgeBroken, ForgeDown, RepoNotFound, RepoRef
from growqr.git.gitea.wire import WireInvalid, branch_heads, push_error
from growqr.git.statuses import MAX_CONTEXTS, STATES, CommitStatus
from growqr.settings import GitSettings

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
"""How long the server may say nothing before a request is given up."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_MOVED = (301, 307)
"""Answers for a repository that another owner has by now."""
_log = structlog.get_logger(__name__)


class GiteaServer:
    """Blocking calls, safe to use from many threads. Every call may raise `ForgeDown`."""

    def __init__(self, settings: GitSettings) -> None:
        token = settings.gitea_token.get_secret_value()
        self.url = settings.gitea_url.rstrip("/")
        basic = base64.b64encode(f"growqr:{token}".encode()).decode()
        self.git_authorization = f"Basic {basic}"
        self._api_headers = {"authorization": f"token {token}"}
        self._http = httpx.Client(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            trust_env=False,  # the token goes to this address and nowhere else
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def git_url(self, repo: RepoRef) -> str:
        """Where the repository is cloned from, by the platform."""
        return f"{self.url}/{_path(repo)}.git"

    def ensure_repo(self, repo: RepoRef) -> None:
        """Make the organisation and the repository, without a commit, if need be."""
        _path(repo)
        self._ensure_owner(repo.owner_id)
        settings = {
            "name": repo.id,
            "description": repo.name,
            "private": True,
            "default_branch": "main",
            "object_format_name": "sha1",
        }
        self._api("POST", f"orgs/{repo.owner_id}/repos", settings, also=(409,))
        # One rule for every branch: who may push may push, but never rewrite or delete.
        rule = {"rule_name": "**", "enable_push": True}
        self._api("POST", f"repos/{_path(repo)}/branch_protections", rule, also=(403, 422))
        if not self._api("GET", f"repos/{_path(repo)}/branch_protections", None):
            raise ForgeBroken("Gitea does not protect the repository's history")

    def repos(self) -> list[RepoRef]:
        """Every repository of ours, by age, with the owner that the server knows."""
        found: list[RepoRef] = []
        page = 1
        while rows := self._page(page):
            found += [
                RepoRef(row["name"], row["owner"]["login"], row["description"])
                for row in rows
                if _NAME.match(row["name"]) and _NAME.match(row["owner"]["login"])
            ]
            page += 1
        return sorted(found, key=lambda repo: repo.id)

    def _page(self, page: int) -> list[dict[str, Any]]:
        answer = self._api("GET", f"repos/search?limit=50&page={page}&sort=id", None)
        return list(answer["data"])

    def transfer(self, repo: RepoRef, owner_id: str) -> None:
        """Give the repository to the organisation of another person, made if need be."""
        if repo.owner_id == owner_id:
            return
        self._ensure_owner(owner_id)
        new = {"new_owner": owner_id}
        self._api("POST", f"repos/{_path(repo)}/transfer", new)

    def _ensure_owner(self, owner_id: str) -> None:
        self._api("POST", "orgs", {"username": owner_id, "visibility": "private"}, also=(422,))

    def delete_repo(self, repo: RepoRef) -> None:
        """Remove the repository; does nothing if it is gone."""
        self._api("DELETE", f"repos/{_path(repo)}", None, also=(404, *_MOVED))

    def add_key(self, repo: RepoRef, *, title: str, public_key: str, read_only: bool) -> None:
        """Let an SSH key read (or write) the repository; the same key again is no error."""
        key = {"title": title, "key": public_key, "read_only": read_only}
        self._api("POST", f"repos/{_path(repo)}/keys", key, also=(422,))
        if not self._keys(repo, public_key):
            raise ForgeBroken("Gitea did not take the key: it is in use elsewhere, or too weak")

    def remove_key(self, repo: RepoRef, *, public_key: str) -> None:
        """Let an SSH key in no longer; does nothing if it is gone."""
        for key in self._keys(repo, public_key):
            self._api("DELETE", f"repos/{_path(repo)}/keys/{key['id']}", None, also=(404,))

    def _keys(self, repo: RepoRef, public_key: str) -> list[dict[str, Any]]:
        listed = self._api("GET", f"repos/{_path(repo)}/keys?limit=50", None) or []
        return [entry for entry in listed if entry["key"].split()[:2] == public_key.split()[:2]]

    def statuses(self, repo: RepoRef, sha: str) -> list[CommitStatus]:
        """What each context said last, by context, also those that others have set there."""
        # `commits/{sha}/status` would tell just that, but answers with 500 in Gitea 1.22.0.
        path = f"repos/{_path(repo)}/statuses/{sha}?sort=recentupdate&limit={MAX_CONTEXTS}"
        rows = sorted(self._api("GET", path, None) or [], key=lambda row: int(row["id"]))
        last = {status.context: status for status in map(_status, rows)}
        return [last[context] for context in sorted(last)]

    def set_status(self, repo: RepoRef, sha: str, status: CommitStatus) -> None:
        """Add a status; Gitea shows the newest of each context."""
        said = {
            "context": status.context,
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url or "",
        }
        self._api("POST", f"repos/{_path(repo)}/statuses/{sha}", said)

    def heads(self, repo: RepoRef) -> dict[str, str]:
        """Every branch's commit. Raises RepoNotFound."""
        answer = self._git("GET", repo, "info/refs?service=git-upload-pack")
        try:
            return branch_heads(answer)
        except WireInvalid as error:
            raise ForgeDown(f"Gitea's answer is not Git's: {error}") from error

    def push(self, repo: RepoRef, ref: str, body: Iterator[bytes]) -> str | None:
        """Send a push; gives the reason when it is refused. Raises RepoNotFound."""
        kind = "application/x-git-receive-pack-request"
        answer = self._git("POST", repo, "git-receive-pack", body, {"content-type": kind})
        try:
            return push_error(answer, ref)
        except WireInvalid as error:
            raise ForgeDown(f"Gitea's answer is not Git's: {error}") from error

    def _git(
        self,
        method: str,
        repo: RepoRef,
        what: str,
        content: Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        login = {"authorization": self.git_authorization, **(headers or {})}
        status, answer = self._send(method, f"{self.git_url(repo)}/{what}", login, content=content)
        if status == 404:
            raise RepoNotFound("there is no such repository")
        if status != 200:
            raise ForgeDown(_why(status))
        return answer

    def _api(
        self, method: str, path: str, body: Mapping[str, Any] | None, also: tuple[int, ...] = ()
    ) -> Any:
        """One REST call; `also` are statuses that mean "it is so already"."""
        status, answer = self._send(method, f"{self.url}/api/v1/{path}", self._api_headers, body)
        if status in also or status == 204:
            return None
        if status == 404:
            raise RepoNotFound("there is no such repository")
        if status not in (200, 201, 202):
            _log.warning("gitea.refused", method=method, path=path, status=status)
            raise ForgeDown(_why(status))
        try:
            return httpx.Response(200, content=answer).json()
        except ValueError as error:
            raise ForgeDown("Gitea's answer is not JSON") from error

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: Mapping[str, Any] | None = None,
        content: Iterator[bytes] | None = None,
    ) -> tuple[int, bytes]:
        kept = bytearray()
        try:
            with self._http.stream(
                method, url, headers=dict(headers), json=json, content=content
            ) as answer:
                for piece in answer.iter_bytes():
                    kept += piece
                    if len(kept) > MAX_ANSWER_BYTES:
                        raise ForgeDown("Gitea's answer is too long")
                return answer.status_code, bytes(kept)
        except httpx.HTTPError as error:
            raise ForgeDown(f"Gitea does not answer ({type(error).__name__})") from error


def _status(row: Mapping[str, Any]) -> CommitStatus:
    state = row["status"]
    return CommitStatus(
        context=str(row["context"]),
        # `warning`, which only others set, is no success.
        state=state if state in STATES else "failure",
        description=str(row["description"]),
        target_url=row["target_url"] or None,
        at=datetime.fromisoformat(row["updated_at"]),
    )


def _why(status: int) -> str:
    if status in (401, 403):
        return f"Gitea refuses the platform's token (HTTP {status}); see GROWQR_GIT__GITEA_TOKEN"
    return f"Gitea answered with HTTP {status}; try again later"


def _path(repo: RepoRef) -> str:
    if not _NAME.match(repo.id) or not _NAME.match(repo.owner_id):
        raise RepoNotFound("there is no such repository")
    return f"{repo.owner_id}/{repo.id}"
