"""What a commit costs: on our forges, by the `git` program, by plain pygit2, and by Gitea's API.

Everyone writes the same small files to one repository, alone and sixteen at once. The embedded
forge and Gitea have a commit on the disk before they answer; the `git` program and pygit2 are
measured as they are, and told to sync objects and refs as well. Gitea takes part when
GROWQR_GIT__GITEA_URL and GROWQR_GIT__GITEA_TOKEN name one.
"""

import asyncio
import base64
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pygit2
from pydantic import SecretStr

from benchmarks.report import Result
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Author, Change, Forge, RepoRef
from growqr.git.gitea.forge import GiteaForge
from growqr.settings import GitSettings

LARGE = 50_000
WRITERS = 16
WHO = Author("act_bench", "Bench", frozenset({"git.commit:**"}))
_SYNCED = {False: "", True: ", synced"}
REPO = RepoRef("rep_bench", "usr_bench", "grow")
Commit = Callable[[int, int], Awaitable[None]]
"""Makes one commit, from its number and how many files it has."""


@dataclass(frozen=True)
class Size:
    """How many commits the repository has before, and how many are measured per row."""

    history: int
    ours: int = 200
    others: int = 20


def run() -> list[Result]:
    return asyncio.run(_measure(Size(history=10)))


def run_large() -> list[Result]:
    return asyncio.run(_measure(Size(history=LARGE)))


async def _measure(size: Size) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        results += await _embedded(Path(folder), size)
        for synced in (False, True):
            results += await _git_program(Path(folder), size, synced=synced)
            results += await _pygit2(Path(folder), size, synced=synced)
        url, token = (os.environ.get(f"GROWQR_GIT__GITEA_{n}", "") for n in ("URL", "TOKEN"))
        if url and token:
            results += await _gitea(Path(folder), size, url, token)
    return results


async def _embedded(folder: Path, size: Size) -> list[Result]:
    forge = EmbeddedForge(folder / "git", GitSettings())
    try:
        await forge.create(REPO)
        grow(forge.path(REPO.id), size.history)
        commit = by_service(forge)
        return [
            *await _row("embedded", commit, 1, 1, size.ours),
            *await _row("embedded", commit, 10, 1, size.ours, budget=5),
            *await _row("embedded", commit, 1, WRITERS, size.ours),
            *await _row("embedded", commit, 10, WRITERS, size.ours),
        ]
    finally:
        forge.close()


async def _git_program(folder: Path, size: Size, *, synced: bool) -> list[Result]:
    tree = folder / f"tree-{synced}"
    _git("init", "-q", "-b", "main", str(tree))
    grow(tree / ".git", size.history)
    if size.history:
        _git("-C", str(tree), "reset", "-q", "--hard")
    if synced:
        _git("-C", str(tree), "config", "core.fsync", "objects,reference")

    async def commit(number: int, files: int) -> None:
        def work() -> None:
            for change in _changes(number, files):
                path = tree / change.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(change.content or b"")
            _git("-C", str(tree), "add", "-A")
            _git("-C", str(tree), "commit", "-q", "-m", f"write(bench): {number}")

        await asyncio.to_thread(work)

    return [
        *await _row(f"git commit{_SYNCED[synced]}", commit, 1, 1, size.others),
        *await _row(f"git commit{_SYNCED[synced]}", commit, 10, 1, size.others),
    ]


async def _pygit2(folder: Path, size: Size, *, synced: bool) -> list[Result]:
    path = folder / f"raw-{synced}.git"
    repo = pygit2.init_repository(path, bare=True, initial_head="main")
    grow(Path(repo.path), size.history)
    who = pygit2.Signature("Bench", "bench@example.com")

    async def commit(number: int, files: int) -> None:
        head = repo.references["refs/heads/main"].peel(pygit2.Commit)
        index = pygit2.Index()
        index.read_tree(head.tree)
        for change in _changes(number, files):
            blob = repo.create_blob(change.content or b"")
            index.add(pygit2.IndexEntry(change.path, blob, pygit2.enums.FileMode.BLOB))
        tree = index.write_tree(repo)
        repo.create_commit("refs/heads/main", who, who, f"write: {number}", tree, [head.id])

    pygit2.settings.enable_fsync_gitdir(synced)
    try:
        return [
            *await _row(f"pygit2{_SYNCED[synced]}", commit, 1, 1, size.others),
            *await _row(f"pygit2{_SYNCED[synced]}", commit, 10, 1, size.others),
        ]
    finally:
        pygit2.settings.enable_fsync_gitdir(False)


async def _gitea(folder: Path, size: Size, url: str, token: str) -> list[Result]:
    settings = GitSettings(provider="gitea", gitea_url=url, gitea_token=SecretStr(token))
    forge = GiteaForge(folder / "copies", settings)
    api = f"{url.rstrip('/')}/api/v1/repos/{REPO.owner_id}/{REPO.id}/contents"
    headers = {"authorization": f"token {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as client:

        async def by_api(number: int, files: int) -> None:
            body = {
                "branch": "main",
                "message": f"write(bench): {number}",
                "files": [
                    {
                        "operation": "create",
                        "path": change.path.replace("memory/", "memory/api-"),
                        "content": base64.b64encode(change.content or b"").decode(),
                    }
                    for change in _changes(number, files)
                ],
            }
            (await client.post(api, json=body)).raise_for_status()

        try:
            await forge.delete(REPO)
            await forge.create(REPO)
            if size.history > 1000:
                _grow_remote(folder, forge, size.history)
            return [
                *await _row("gitea, our forge", by_service(forge), 1, 1, size.others),
                *await _row("gitea, our forge", by_service(forge), 10, 1, size.others),
                *await _row("gitea, our forge", by_service(forge), 10, WRITERS, WRITERS),
                *await _row("gitea, contents API", by_api, 1, 1, size.others),
                *await _row("gitea, contents API", by_api, 10, 1, size.others),
            ]
        finally:
            await forge.delete(REPO)
            forge.close()


def by_service(forge: Forge) -> Commit:
    service = CommitService(forge, GitSettings())

    async def commit(number: int, files: int) -> None:
        await service.commit(
            REPO,
            actor=WHO,
            kind="write",
            scope="bench",
            what=str(number),
            changes=_changes(number, files),
            operation=f"bench:{files}:{number}",
        )

    return commit


def _changes(number: int, files: int) -> list[Change]:
    text = f"---\nkind: memory\n---\n\n# Fact {number}\n".encode()
    return [Change(f"memory/{files}-{number}/{n}.md", text + b"x" * n) for n in range(files)]


_numbers = iter(range(10**9))


async def _row(
    who: str,
    commit: Commit,
    files: int,
    writers: int,
    count: int,
    budget: float | None = None,
) -> list[Result]:
    times: list[float] = []

    async def write(share: int) -> None:
        for _ in range(share):
            began = time.perf_counter()
            await commit(next(_numbers), files)
            times.append((time.perf_counter() - began) * 1000)

    await commit(next(_numbers), files)  # warms up what is warm in a running platform
    began = time.perf_counter()
    await asyncio.gather(*(write(max(1, count // writers)) for _ in range(writers)))
    per_second = len(times) / (time.perf_counter() - began)
    label = f"{who}: {files} file{'s' * (files > 1)}, {writers} writer{'s' * (writers > 1)}"
    return [Result(label, times, budget, per_second)]


def grow(git_dir: Path, commits: int, *, loose: bool = False) -> None:
    """Give the repository that many commits on `main`, packed as years of use leave it, or
    `loose`, as years without maintenance would.
    """
    begin = subprocess.run(
        ["git", "--git-dir", str(git_dir), "rev-parse", "--verify", "-q", "refs/heads/main"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    unpacked = ("-c", f"fastimport.unpackLimit={2**31 - 1}") if loose else ()
    stream: list[str] = []
    now = int(time.time())  # git walks by date: a child must not be older than its parent
    for number in range(commits):
        stream.append(f"commit refs/heads/main\ncommitter B <b@example.com> {now} +0000\n")
        subject = f"write(bench): {number}"
        stream.append(f"data {len(subject)}\n{subject}\n")
        if number == 0 and begin:
            stream.append(f"from {begin}\n")
        text = f"fact {number}\n"
        path = f"memory/old/{number % 20}/{number % 1000}.md"
        stream.append(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n")
    subprocess.run(
        ["git", "--git-dir", str(git_dir), *unpacked, "fast-import", "--quiet"],
        input="".join(stream).encode(),
        check=True,
    )


def _grow_remote(folder: Path, forge: GiteaForge, commits: int) -> None:
    copy = folder / "grown.git"
    login = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {forge.server.git_authorization}",
    }
    url = forge.server.git_url(REPO)
    _git("clone", "-q", "--bare", url, str(copy), environment=login)
    grow(copy, commits)
    _git("--git-dir", str(copy), "push", "-q", url, "main", environment=login)


def _git(*args: str, environment: Mapping[str, str] | None = None) -> None:
    identity = {
        f"GIT_{who}_{part}": value
        for who in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "Bench"), ("EMAIL", "bench@example.com"))
    }
    subprocess.run(
        ["git", *args], check=True, env={**os.environ, **identity, **(environment or {})}
    )
