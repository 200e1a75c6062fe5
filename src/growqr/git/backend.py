"""One `git http-backend` process per request, with nothing of our environment.

It speaks CGI (RFC 3875): the request in the environment and on stdin, the answer on stdout.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from growqr.errors import Unavailable
from growqr.git.program import SERVING, git_environment

MAX_PROCESSES = 16
MAX_PER_REPO = 4
"""Of these for one repository, so that nobody's slow connections keep everybody out."""
MAX_SECONDS = 900.0
"""Wall time of one clone or push."""
QUEUE_SECONDS = 20.0
"""How long a request waits while MAX_PROCESSES are busy."""
_GRACE_SECONDS = 3.0
_CHUNK = 64 * 1024
_MAX_STDERR = 4096
_PASSED = ("content-type", "cache-control", "expires", "pragma")

Start = Callable[[int, Mapping[str, str]], Awaitable[None]]
Chunk = Callable[[bytes], Awaitable[None]]


class BackendBusy(Unavailable):
    """Too many clones and pushes at once."""

    code = "git_busy"


class BackendFailed(Exception):
    """`git http-backend` is missing, ended without an answer, or took too long."""


@dataclass(frozen=True, slots=True)
class GitRequest:
    """A request that has been let in."""

    repo_id: str
    method: str
    what: str
    """`info/refs` or the service."""
    service: str
    protocol: str
    """`version=2` and the like, or empty."""


class Places:
    """How many clones and pushes run at once, in all and of one repository."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_PROCESSES)
        self._busy: Counter[str] = Counter()

    @asynccontextmanager
    async def place(self, repo_id: str) -> AsyncGenerator[None, None]:
        """Wait for a place and keep it. Raises BackendBusy."""
        full = BackendBusy("too many clones and pushes at once; try again")
        if self._busy[repo_id] >= MAX_PER_REPO:
            raise full
        self._busy[repo_id] += 1
        try:
            try:
                async with asyncio.timeout(QUEUE_SECONDS):
                    await self._slots.acquire()
            except TimeoutError:
                raise full from None
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._busy[repo_id] -= 1
            if not self._busy[repo_id]:
                del self._busy[repo_id]


class Backend:
    """Runs `git http-backend` on the repositories in a folder."""

    def __init__(self, folder: Path, pushed: Callable[[Path], None] | None = None) -> None:
        """`pushed` is told the repository after each push."""
        self._folder = folder
        self._pushed = pushed
        self._places = Places()

    async def exists(self, repo_id: str) -> bool:
        """Whether the folder holds the repository."""
        return (self._folder / f"{repo_id}.git").is_dir()

    async def run(
        self, request: GitRequest, body: AsyncGenerator[bytes, None], start: Start, chunk: Chunk
    ) -> None:
        """Answer one request; returns when git has ended.

        `body` yields its last piece, then `b""`, and goes on to wait: what it raises (the client
        has gone, the body is too large) ends git and reaches the caller.

        Raises:
            BackendBusy, BackendFailed
        """
        async with self._places.place(request.repo_id):
            with tempfile.TemporaryDirectory(prefix="growqr-git-") as home:
                await self._run(request, body, start, chunk, Path(home))
        if self._pushed is not None and request.what == "git-receive-pack":
            self._pushed(self._folder / f"{request.repo_id}.git")

    async def _run(
        self,
        request: GitRequest,
        body: AsyncGenerator[bytes, None],
        start: Start,
        chunk: Chunk,
        home: Path,
    ) -> None:
        git = shutil.which("git")
        if git is None:
            raise BackendFailed("git is not installed")
        process = await asyncio.create_subprocess_exec(
            git,
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(request, home),
            cwd=home,
            start_new_session=True,  # its children end with it
            limit=_CHUNK,
        )
        read = asyncio.Event()
        feeding = asyncio.ensure_future(_feed(process, body, read))
        errors = asyncio.ensure_future(_drain(process))
        answering = asyncio.ensure_future(_answer(process, read, start, chunk))
        try:
            async with asyncio.timeout(MAX_SECONDS):
                # Feeding only ever ends by raising: the client has gone, or sent too much.
                await asyncio.wait({feeding, answering}, return_when=asyncio.FIRST_COMPLETED)
                if feeding.done():
                    feeding.result()
                if not await answering:
                    stderr = await errors
                    raise BackendFailed(stderr.decode(errors="replace") or "no answer")
        except TimeoutError:
            raise BackendFailed(f"took longer than {MAX_SECONDS:.0f} s") from None
        finally:
            for task in (feeding, answering, errors):
                task.cancel()
            await _end(process)
            await asyncio.gather(feeding, answering, errors, return_exceptions=True)

    def _environment(self, request: GitRequest, home: Path) -> dict[str, str]:
        repository = self._folder / f"{request.repo_id}.git"
        info = request.what == "info/refs"
        environment = {
            **git_environment(repository, SERVING, str(home)),
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{request.repo_id}.git/{request.what}",
            "QUERY_STRING": f"service={request.service}" if info else "",
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": "" if info else f"application/x-{request.service}-request",
            "REMOTE_USER": "grow",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        if request.protocol:
            environment["GIT_PROTOCOL"] = request.protocol
        return environment


async def _feed(
    process: asyncio.subprocess.Process, body: AsyncGenerator[bytes, None], read: asyncio.Event
) -> None:
    """Pass the body on, set `read`, then keep watching the client; ends only by raising."""
    assert process.stdin is not None
    open_ = True
    async with aclosing(body) as pieces:
        async for data in pieces:
            if not data:
                read.set()
                process.stdin.close()
                open_ = False
            if not open_:
                continue
            # git may answer (a refusal) and stop reading before it has read everything.
            try:
                process.stdin.write(data)
                await process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                open_ = False


async def _drain(process: asyncio.subprocess.Process) -> bytes:
    """The first part of what git says on stderr; the rest is thrown away."""
    assert process.stderr is not None
    kept = b""
    while data := await process.stderr.read(_CHUNK):
        kept += data[: _MAX_STDERR - len(kept)]
    return kept


async def _answer(
    process: asyncio.subprocess.Process, read: asyncio.Event, start: Start, chunk: Chunk
) -> bool:
    """Pass the answer on; False when there is none.

    git writes its head before it reads the request, so the head waits here: until the body has
    come to its end, a refusal may still take the answer's place.
    """
    assert process.stdout is not None
    try:
        head = await process.stdout.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False
    await read.wait()
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
    headers = {name.lower(): value for name, value in fields.items()}
    status = int(headers.get("status", "200").split(" ", 1)[0])
    await start(status, {name: headers[name] for name in _PASSED if name in headers})
    while data := await process.stdout.read(_CHUNK):
        await chunk(data)
    await process.wait()
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    """End git and its children: politely first, so that it removes its lock files."""
    if process.stdin is not None:
        process.stdin.close()
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
