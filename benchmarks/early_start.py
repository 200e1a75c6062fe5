"""How long until the coding agent's first tool call, with an early start of its server and without.

A model that writes at a usual speed delegates a task of a few hundred words to the coding agent.
It names the agent before it writes the task, as models do, and the server starts meanwhile; or
after it, which is the same answer in the same time, but leaves nothing to start early by. The two
take turns, each on a stopped server, so that both meet the same machine.
"""

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from benchmarks.report import Result
from growqr.testing import Platform

ROUNDS = 5
WRITING_SECONDS = 3.0
PIECES = 30
TASK = "Build a small command-line tool that counts words. " * 20
EARLY, LATE = "agent first", "agent last"


def run() -> list[Result]:
    times: dict[str, list[float]] = {EARLY: [], LATE: []}
    with tempfile.TemporaryDirectory() as folder, _model() as base_url:
        environment = {
            "GROWQR_MODEL__PROVIDER": "openai-compatible",
            "GROWQR_MODEL__NAME": "scripted",
            "GROWQR_MODEL__BASE_URL": base_url,
        }
        with Platform(Path(folder), environment) as platform, _person(platform.url) as client:
            grow = client.post("/actors/provision").raise_for_status().json()["actor"]["id"]
            provisioned = client.post("/opencode/provision").raise_for_status().json()
            workspace = f"/opencode/workspaces/{provisioned['workspace']['id']}"
            _first_tool_call(client, grow, LATE)  # the first prompt of a new home takes longer
            for _ in range(ROUNDS):
                for kind, taken in times.items():
                    client.post(f"{workspace}/stop").raise_for_status()
                    taken.append(_first_tool_call(client, grow, kind))
    return [
        Result("POST message to the first tool call, server started early", times[EARLY]),
        Result("POST message to the first tool call, started when the task is there", times[LATE]),
        Result("of these, the model writing", [WRITING_SECONDS * 1000]),
    ]


@contextmanager
def _person(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        account = {"email": "bench@example.com", "password": "bench-password-1", "name": "Bench"}
        token = client.post("/auth/register", json=account).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


def _first_tool_call(client: httpx.Client, grow: str, kind: str) -> float:
    """Send a message; return the milliseconds to the first tool call, once the task has ended."""
    after = _last_seq(client, grow)
    began = time.perf_counter()
    client.post(f"/actors/{grow}/message", json={"text": kind}).raise_for_status()
    first: float | None = None
    headers = {"accept": "text/event-stream"}
    with client.stream("GET", f"/actors/{grow}/events?after={after}", headers=headers) as stream:
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line.removeprefix("data:"))
            if first is None and event["data"].get("stream") == "tool":
                first = (time.perf_counter() - began) * 1000
            if event["type"] == "task.completed":
                assert first is not None, "the task had no tool call"
                return first
            assert event["type"] != "task.failed", event["data"].get("reason")
    raise AssertionError("the events ended")


def _last_seq(client: httpx.Client, grow: str) -> int:
    after, headers = 0, {"accept": "application/json"}
    path = f"/actors/{grow}/events"
    while items := client.get(path, params={"after": after}, headers=headers).json()["items"]:
        after = items[-1]["seq"]
    return after


@contextmanager
def _model() -> Iterator[str]:
    """Serve both models, the Grow Agent's and OpenCode's, as one OpenAI-compatible server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        tools = {tool["function"]["name"] for tool in request.get("tools", ())}
        if request["messages"][-1]["role"] == "tool" or not tools:
            self._send({"content": "Done."})
        elif "bash" in tools:
            self._call("bash", json.dumps({"command": "true", "description": "Check"}), 0)
        else:
            late = LATE in json.dumps(request["messages"][-1])
            order = ("task", "agent") if late else ("agent", "task")
            values = {"agent": "coding", "task": TASK}
            arguments = json.dumps({name: values[name] for name in order})
            self._call("delegate", arguments, WRITING_SECONDS)
        self._send({}, finish="stop")
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _call(self, name: str, arguments: str, seconds: float) -> None:
        """Write a tool call piece by piece, over this time."""
        call: dict[str, Any] = {"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function"}
        self._send({"tool_calls": [{**call, "function": {"name": name, "arguments": ""}}]})
        size = len(arguments) // PIECES + 1
        for start in range(0, len(arguments), size):
            piece = {"index": 0, "function": {"arguments": arguments[start : start + size]}}
            self._send({"tool_calls": [piece]})
            time.sleep(seconds / PIECES)

    def _send(self, delta: dict[str, Any], finish: str | None = None) -> None:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        pass
