"""Clone and push through to Gitea, under the platform's own credential.

Whoever comes here has shown one of our tokens, which belongs to one repository; Gitea's own
tokens can't be limited to one, so nobody but the platform holds one.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx
import structlog

from growqr.git.backend import MAX_SECONDS, BackendFailed, Chunk, GitRequest, Places, Start
from growqr.git.forge import ForgeDown, RepoNotFound, RepoRef
from growqr.git.gitea.server import ANSWER_SECONDS, CONNECT_SECONDS, GiteaServer

Locate = Callable[[str], Awaitable[RepoRef | None]]
"""From a repository's id to what the forge knows it by."""

_PASSED = ("content-type", "cache-control", "expires", "pragma")
_log = structlog.get_logger(__name__)


class GiteaTransport:
    """Passes requests that have been let in on to Gitea. Close it when done."""

    def __init__(self, server: GiteaServer, locate: Locate) -> None:
        self._server = server
        self._locate = locate
        self._places = Places()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def exists(self, repo_id: str) -> bool:
        """Whether the repository is one of ours; Gitea itself is asked by `run`."""
        return await self._locate(repo_id) is not None

    async def run(
        self, request: GitRequest, body: AsyncGenerator[bytes, None], start: Start, chunk: Chunk
    ) -> None:
        """Answer one request, as `Backend.run` does.

        Raises:
            BackendBusy, BackendFailed, RepoNotFound
            ForgeDown: Gitea does not answer, or with an error.
        """
        repo = await self._locate(request.repo_id)
        if repo is None:
            raise RepoNotFound("there is no such repository")
        async with self._places.place(request.repo_id):
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    await self._run(repo, request, body, start, chunk)
            except TimeoutError:
                raise BackendFailed(f"took longer than {MAX_SECONDS:.0f} s") from None
            except httpx.HTTPError as error:
                raise ForgeDown(f"Gitea does not answer ({type(error).__name__})") from error

    async def _run(
        self,
        repo: RepoRef,
        request: GitRequest,
        body: AsyncGenerator[bytes, None],
        start: Start,
        chunk: Chunk,
    ) -> None:
        info = request.what == "info/refs"
        headers = {
            "authorization": self._server.git_authorization,
            "accept-encoding": "identity",
        }
        if request.protocol:
            headers["git-protocol"] = request.protocol
        if not info:
            headers["content-type"] = f"application/x-{request.service}-request"
        outgoing = self._http.build_request(
            request.method,
            f"{self._server.git_url(repo)}/{request.what}",
            params={"service": request.service} if info else None,
            headers=headers,
            content=None if info else _until_end(body),
        )
        answer = await self._http.send(outgoing, stream=True)
        try:
            if answer.status_code == 404:
                raise RepoNotFound("there is no such repository")
            if answer.status_code != 200:
                _log.warning("gitea.git_refused", repo_id=repo.id, status=answer.status_code)
                raise ForgeDown(f"Gitea answered with HTTP {answer.status_code}; try again later")
            kept = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
            passing = asyncio.ensure_future(_pass(answer, kept, start, chunk))
            # After its end the body only ever raises: the client has gone.
            watching = asyncio.ensure_future(_drain(body))
            try:
                await asyncio.wait({passing, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    watching.result()
                await passing
            finally:
                passing.cancel()
                watching.cancel()
                await asyncio.gather(passing, watching, return_exceptions=True)
        finally:
            await answer.aclose()


async def _until_end(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async for data in body:
        if not data:
            return
        yield data


async def _drain(body: AsyncGenerator[bytes, None]) -> None:
    async for _ in body:
        pass


async def _pass(
    answer: httpx.Response, headers: dict[str, str], start: Start, chunk: Chunk
) -> None:
    await start(200, headers)
    async for data in answer.aiter_raw():
        await chunk(data)
