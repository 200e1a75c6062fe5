"""A model server that follows a script, speaking OpenAI's chat completions.

It stands in for the one thing that can't run here, a paid model, and is a real HTTP server:
the Grow Agent and OpenCode reach it through the same code as any OpenAI-compatible address.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True)
class Say:
    """Answer with text and end the turn."""

    text: str


@dataclass(frozen=True)
class Call:
    """Answer with calls of tools: (name, arguments)."""

    calls: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Refuse:
    """Answer with an HTTP error, as a provider does to a wrong key."""

    status: int
    why: str


Answer = Say | Call | Refuse
Script = Callable[[Request], Answer]


@dataclass
class ScriptedModel:
    """`base_url` ends in /v1; `requests` holds what was asked, `keys` the bearer tokens seen."""

    script: Script
    base_url: str = ""
    requests: list[Request] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


def call(name: str, **arguments: Any) -> Call:
    return Call(((name, arguments),))


def tool_names(request: Request) -> set[str]:
    return {tool["function"]["name"] for tool in request.get("tools", [])}


def tool_results(request: Request) -> list[str]:
    """Return the results since the last user message, oldest first."""
    results: list[str] = []
    for message in request["messages"]:
        if message["role"] == "user":
            results.clear()
        elif message["role"] == "tool":
            results.append(text_of(message["content"]))
    return results


def last_user_text(request: Request) -> str:
    texts = [text_of(m["content"]) for m in request["messages"] if m["role"] == "user"]
    return texts[-1] if texts else ""


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or [])


@contextmanager
def serve(script: Script) -> Iterator[ScriptedModel]:
    """Serve `script` on a free loopback port for as long as the context is open."""
    model = ScriptedModel(script)

    class Handler(_Handler):
        scripted = model

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, name="scripted-model", daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    scripted: ScriptedModel
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.path.endswith("/chat/completions"):
            self._reply(404, b'{"error":{"message":"no such path"}}', "application/json")
            return
        request: Request = json.loads(body)
        self.scripted.requests.append(request)
        self.scripted.keys.add(self.headers.get("authorization", "").removeprefix("Bearer "))
        answer = self.scripted.script(request)
        number = len(self.scripted.requests)
        if isinstance(answer, Refuse):
            problem = {"error": {"message": answer.why, "type": "refused"}}
            self._reply(answer.status, json.dumps(problem).encode(), "application/json")
        elif request.get("stream"):
            self._reply(200, _stream(answer, number), "text/event-stream")
        else:
            self._reply(200, json.dumps(_whole(answer, number)).encode(), "application/json")

    def _reply(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Keep test output quiet."""


_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def _tool_calls(answer: Call, number: int) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": f"call_{number}_{index}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(answer.calls)
    ]


def _whole(answer: Say | Call, number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(answer, Say):
        message["content"] = answer.text
    else:
        message["tool_calls"] = _tool_calls(answer, number)
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    return _envelope(number, "chat.completion", choice) | {"usage": _USAGE}


def _stream(answer: Say | Call, number: int) -> bytes:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if isinstance(answer, Say):
        deltas += [{"content": piece} for piece in _pieces(answer.text)]
    else:
        deltas.append({"tool_calls": _tool_calls(answer, number)})
    chunks = [
        _envelope(number, "chat.completion.chunk", {"index": 0, "delta": d, "finish_reason": None})
        for d in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": _finish(answer)}
    chunks.append(_envelope(number, "chat.completion.chunk", last) | {"usage": _USAGE})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _pieces(text: str) -> list[str]:
    half = len(text) // 2
    return [piece for piece in (text[:half], text[half:]) if piece]


def _finish(answer: Say | Call) -> str:
    return "stop" if isinstance(answer, Say) else "tool_calls"


def _envelope(number: int, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}",
        "object": kind,
        "created": 0,
        "model": "scripted",
        "choices": [choice],
    }
