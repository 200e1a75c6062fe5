"""HTTP requests of clients to an actor: `POST /action/{name}`, and `GET /health`."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._outcome import Outcome, Refusal
from pyrivet._runtime import ActorRun
from pyrivet._tunnel import Channel
from pyrivet.errors import ActionError, ProtocolError

_JSON = {"content-type": "application/json"}
HELD_SECONDS = 5.0
"""How long a request that an actor no longer takes stays without an answer.

The engine hears meanwhile that the actor has stopped and sends the request to its next worker.
"""
_STATUS = {
    "action_not_found": 404,
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
        path = urlsplit(self._start.path).path
        if path == "/health":
            self._respond(200, b'{"status":"ok"}')
            return
        if not path.startswith("/action/"):
            self._refuse(404, Refusal("not_found", "the paths are /action/{name} and /health"))
        elif self._start.method != "POST":
            self._refuse(405, Refusal("method_not_allowed", "actions are called with POST"))
        elif self._headers.get("x-rivet-encoding", "json") != "json":
            self._refuse(415, Refusal("unsupported_encoding", "the only encoding is json"))
        else:
            self._call(unquote(path.removeprefix("/action/")))

    def interrupt(self) -> p.ToClient:
        """Return what to tell the client whose request a broken connection interrupted."""
        self._ended = True
        body = Outcome.of(Refusal("interrupted", "the actor's connection broke"), {}).body()
        return p.ResponseStart(503, _JSON, body, stream=False)

    def _too_big(self) -> bool:
        return len(self._body) > self._run.options.max_message_bytes

    def _call(self, name: str) -> None:
        try:
            params = _wire.parse_params(self._headers.get("x-rivet-conn-params", ""))
            args = self._args()
        except ProtocolError as error:
            self._refuse(400, error)
            return
        self._run.call(name, args, self._answer, params)

    def _args(self) -> list[Any]:
        try:
            args = json.loads(bytes(self._body))["args"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ProtocolError('the body must be {"args": […]} in JSON') from error
        args = _wire.revive(args)
        if not isinstance(args, list):
            raise ProtocolError("args must be a list")
        return args

    def _answer(self, outcome: Outcome) -> None:
        if outcome.output is not None:
            self._respond(200, f'{{"output":{outcome.output}}}'.encode())
        elif outcome.not_run:
            loop = asyncio.get_running_loop()
            loop.call_later(HELD_SECONDS, self._respond, 503, outcome.body())
        else:
            status = 400 if outcome.group == "user" else _STATUS.get(outcome.code, 400)
            self._respond(status, outcome.body())

    def _refuse(self, status: int, error: Refusal | ActionError | ProtocolError) -> None:
        self._respond(status, Outcome.of(error, {}).body())

    def _respond(self, status: int, body: bytes) -> None:
        self._on_closed(self.channel.id)
        if not self._ended:
            self._ended = True
            self.channel.send(p.ResponseStart(status, _JSON, body, stream=False))
