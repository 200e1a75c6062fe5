"""The web app: static files that the build made, or a page that says how to build them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_MISSING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>GrowQR</title>
<body style="font:16px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem">
<h1>GrowQR is running</h1>
<p>The web app has not been built. Run <code>npm ci &amp;&amp; npm run build -w web</code> in the
repository, or <code>./grow up</code>, which does it for you.</p>
<p>The API is here: <a href="/docs">reference</a>.</p></body></html>"""

_FRESH = {"cache-control": "no-cache"}


class _Immutable(StaticFiles):
    """Files with a content hash in their name: a browser may keep them for good.

    Where the build put a packed copy beside a file (`….gz`), clients that can read it get that.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await self._packed(path, scope) or await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
            response.headers["vary"] = "accept-encoding"
        return response

    async def _packed(self, path: str, scope: Scope) -> Response | None:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        if "gzip" not in accepted or path.endswith(".gz"):
            return None
        file, found = await to_thread.run_sync(self.lookup_path, f"{path}.gz")
        if found is None:
            return None
        response = self.file_response(file, found, scope)
        response.headers["content-encoding"] = "gzip"
        return response


def mount_web_app(app: FastAPI, folder: Path | None) -> None:
    """Serve the build in `folder` at `/` and `/app/*`; None: it is missing."""
    index = folder / "index.html" if folder is not None else None
    if folder is None or index is None or not index.is_file():
        index = None

    async def page() -> Response:
        if index is None:
            return HTMLResponse(_MISSING, 503, headers=_FRESH)
        return FileResponse(index, headers=_FRESH)

    for path in ("/", "/app", "/app/{page:path}"):
        app.add_api_route(path, page, methods=["GET"], include_in_schema=False)
    if folder is None or index is None:
        return
    if (folder / "assets").is_dir():
        app.mount("/assets", _Immutable(directory=folder / "assets"))
    for file in sorted(folder.iterdir()):  # favicon.svg and such
        if file.is_file() and file.name != "index.html":
            app.add_api_route(
                f"/{file.name}", _serving(file), methods=["GET"], include_in_schema=False
            )


def _serving(file: Path) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return FileResponse(file, headers=_FRESH)

    return serve
