"""HTTP requests of clients: `POST /action/{name}` or `/queue/{name}`, `/request/…`, `/health`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._connection import MAX_SENT_BYTES
from pyrivet._encodings import JSON, Encoding, encoding_named
from pyrivet._outcome import Outcome, Refusal
from pyrivet._raw import Request, Response
from pyrivet._runtime import ActorRun
from pyrivet._tunnel import Channel
from pyrivet.errors import ProtocolError

_JSON = {"content-type": JSON.content_type}
HELD_SECONDS = 5.0
"""How long a request that an actor no longer takes stays without an answer.

The engine hears meanwhile that the actor has stopped and sends the request to its next worker.
"""
_STATUS = {
    "action_not_found": 404,
    "not_found": 404,
    "queue_not_found": 404,
    "message_too_big": 413,
    "queue_full": 429,
    "internal_error": 500,
    "interrupted": 503,
    "overloaded": 503,
    "stopping": 503,
    "action_timed_out": 504,
}


class HttpRequest:
    """One request, from its first byte to the answer."""

    def __init__(
        self,
        run: ActorRun,
        channel: Channel,
        start: p.RequestStart,
        on_closed: Callable[[bytes], None],
    ) -> None:
        self._run = run
        self.channel = channel
        self._start = start
        self._on_closed = on_closed
        self._ended = False
        self._body = bytearray(start.body or b"")
        self._headers = {name.lower(): value for name, value in start.headers.items()}

    def begin(self) -> None:
        if not self._start.stream:
            self._handle()

    def chunk(self, chunk: p.BodyChunk) -> None:
        """Take more of the body; the action runs once it is complete."""
        self._body += chunk.body
        self.channel.send(p.WindowUpdate(len(self._body)))
        if chunk.finish or self._too_big():
            self._handle()

    def _handle(self) -> None:
        if self._too_big():
            self._refuse(413, Refusal("message_too_big", "the body is too big"))
            return
        address = urlsplit(self._start.path)
        _, kind, name = (*address.path.split("/", 2), "")[:3]
        try:
            match kind:
                case "health" if not name:
                    self._respond(200, b'{"status":"ok"}')
                case "action" if self._is_post():
                    self._call(unquote(name))
                case "queue" if self._is_post():
                    self._send(unquote(name))
                case "request":
                    self._request(f"/{name}", address.query)
                case "action" | "queue":
                    pass  # refused already
                case _:
                    paths = "/action/{name}, /queue/{name}, /request/{path} and /health"
                    self._refuse(404, Refusal("not_found", f"the paths are {paths}"))
        except ProtocolError as error:
            self._refuse(400, error)

    def interrupt(self) -> p.ToClient:
        """Return what to tell the client whose request a broken connection interrupted."""
        self._ended = True
        body = Outcome.of(Refusal("interrupted", "the actor's connection broke"), {}).body()
        return p.ResponseStart(503, _JSON, body, stream=False)

    def _too_big(self) -> bool:
        return len(self._body) > self._run.options.max_message_bytes

    def _is_post(self) -> bool:
        if self._start.method != "POST":
            self._refuse(405, Refusal("method_not_allowed", "this is called with POST"))
        return self._start.method == "POST"

    def _call(self, name: str) -> None:
        encoding = self._encoding()
        args = encoding.read_action(bytes(self._body))

        def answer(outcome: Outcome) -> None:
            if outcome.output is None:
                self._fail(outcome)
            else:
                self._respond(200, encoding.output(outcome.output), encoding.content_type)

        self._run.calls.call(name, args, answer, self._params())

    def _send(self, queue: str) -> None:
        encoding = self._encoding()
        message = encoding.read_queue(bytes(self._body))

        def answer(outcome: Outcome | None) -> None:
            if outcome is not None and outcome.output is None:
                self._fail(outcome)
                return
            status = "timedOut" if message.wait and outcome is None else "completed"
            body = encoding.queue_result(status, None if outcome is None else outcome.output)
            self._respond(200, body, encoding.content_type)

        async def send() -> Outcome | None:
            queues = self._run.queues
            if message.wait:
                return await queues.ask(queue, message.body, message.timeout_ms)
            await queues.send(queue, message.body)
            return None

        self._run.calls.serve("queue", send, answer, self._fail, self._params())

    def _request(self, path: str, query: str) -> None:
        request = Request(self._start.method, path, query, self._headers, bytes(self._body))

        def answer(response: Response) -> None:
            body = response.body.encode() if isinstance(response.body, str) else response.body
            if len(body) > MAX_SENT_BYTES:
                self._refuse(500, Refusal("output_too_big", "the answer is too big"))
            else:
                self._respond(response.status, body, headers=response.headers)

        calls = self._run.calls
        calls.serve("request", lambda: calls.request(request), answer, self._fail, self._params())

    def _encoding(self) -> Encoding:
        return encoding_named(self._headers.get("x-rivet-encoding", JSON.name))

    def _params(self) -> dict[str, Any]:
        return _wire.parse_params(self._headers.get("x-rivet-conn-params", ""))

    def _fail(self, outcome: Outcome) -> None:
        if outcome.not_run:
            loop = asyncio.get_running_loop()
            loop.call_later(HELD_SECONDS, self._respond, 503, outcome.body())
            return
        status = 400 if outcome.group == "user" else _STATUS.get(outcome.code, 400)
        self._respond(status, outcome.body())

    def _refuse(self, status: int, error: Refusal | ProtocolError) -> None:
        self._respond(status, Outcome.of(error, {}).body())

    def _respond(
        self,
        status: int,
        body: bytes,
        content_type: str = JSON.content_type,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._on_closed(self.channel.id)
        if not self._ended:
            self._ended = True
            fields = {"content-type": content_type} if headers is None else dict(headers)
            self.channel.send(p.ResponseStart(status, fields, body, stream=False))
