"""The real OpenCode through the gateway to each provider's own API, as far as a script goes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from growqr.opencode import Finished, ToolFinished
from growqr.settings import ModelSettings
from tests.opencode.conftest import Running, ask, spec
from tests.support import wires
from tests.support.wires import WIRES

pytestmark = [pytest.mark.anyio, pytest.mark.live]


@contextmanager
def provider(kind: str, calls: list[tuple[str, str]]) -> Iterator[str]:
    """Serve one provider's API; notes each call's path and key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            calls.append((self.path.partition("?")[0], self.headers[WIRES[kind].key_header]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"".join(wires.answer(kind, request, "echo via $((6 * 7))")))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("kind", WIRES)
async def test_opencode_works_through_each_providers_own_api(running: Running, kind: Any) -> None:
    calls: list[tuple[str, str]] = []
    with provider(kind, calls) as url:
        settings = ModelSettings(
            provider=kind,
            name="m1",
            base_url=f"{url}/v1" if kind == "openai" else url,
            api_key=SecretStr("real-key"),
        )
        async with running(settings) as workspaces:
            workspace = await workspaces.get(spec())
            workspace.begin_task()
            progress = await ask(workspace, "Go on")
            used = workspace.task_tokens
    ends = [item for item in progress if isinstance(item, ToolFinished)]
    assert [(end.tool, end.output) for end in ends] == [("bash", "via 42\n")]
    last = progress[-1]
    assert isinstance(last, Finished)
    assert "via 42" in last.text
    bearer = "Bearer " if kind == "openai" else ""
    assert calls == [(WIRES[kind].path, f"{bearer}real-key")] * 2
    assert used == 2 * (wires.COUNTED_INPUT + wires.COUNTED_OUTPUT)
