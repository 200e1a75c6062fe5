"""HTTP requests of clients: `POST /action/{name}` or `/queue/{name}`, `/request/…`, `/health`."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pyrivet import _protocol as p
from pyrivet import _wire
from pyrivet._body import RequestBody, ResponseBody, collect, once, pieces
from pyrivet._encodings import JSON, Encoding, encoding_named
from pyrivet._outcome import Outcome, Refusal
from pyrivet._raw import Request, Response
from pyrivet._runtime import ActorRun
from pyrivet._socket import MAX_SENT_BYTES
from pyrivet._tunnel import Channel
from pyrivet.errors import ProtocolError

T = TypeVar("T")

_JSON = {"content-type": JSON.content_type}
_WHOLE = 256 << 10  # a body up to this goes in one message
_STATUS = {
    "action_not_found": 404,
    "not_found": 404,
    "queue_not_found": 404,
    "method_not_allowed": 405,
    "message_too_big": 413,
    "queue_full": 429,
    "internal_error": 500,
    "output_too_big": 500,
    "interrupted": 503,
    "overloaded": 503,
    "stopping": 503,
    "action_timed_out": 504,
}


class HttpRequest:
    """One request, from its first byte to the end of the answer."""

    def __init__(
        self,
        run: ActorRun,
        channel: Channel,
        start: p.RequestStart,
        on_closed: Callable[[bytes], None],
    ) -> None:
        self.channel = channel
        self._calls = run.calls
        self._queues = run.queues
        self._start = start
        self._on_closed = on_closed
        self._headers = {name.lower(): value for name, value in start.headers.items()}
        self._body = RequestBody(channel, start, run.options.max_message_bytes)
        self._answer = ResponseBody(channel, run.options.write_timeout.total_seconds())
        self._streaming: asyncio.Task[Any] | None = None
        self._ended = False

    def begin(self) -> None:
        """Find out what is asked for and start to answer."""
        address = urlsplit(self._start.path)
        _, kind, name = (*address.path.split("/", 2), "")[:3]
        try:
            match kind:
                case "health" if not name:
                    self._respond(200, b'{"status":"ok"}')
                case "action":
                    self._call(unquote(name))
                case "queue":
                    self._send(unquote(name))
                case "request":
                    self._request(f"/{name}", address.query)
                case _:
                    paths = "/action/{name}, /queue/{name}, /request/{path} and /health"
                    raise Refusal("not_found", f"the paths are {paths}")
        except (ProtocolError, Refusal) as error:
            self._fail(Outcome.of(error, {}))

    def heard(self, _: p.MessageId, kind: p.FromClient) -> None:
        """Take what the client's side says after the start of the request."""
        match kind:
            case p.BodyChunk():
                self._body.receive(kind)
            case p.WindowUpdate(consumed_bytes):
                self._answer.grant(consumed_bytes)
            case p.BodyCancel():
                self._body.drop()
            case p.RequestAbort():
                self._leave()

    def broken(self) -> p.ToClient:
        """Stop, as messages may be lost; returns what to tell the client."""
        self._leave()
        if self._streaming is not None:
            return p.ResponseAbort(p.AbortKind.INTERNAL_ERROR, "the actor's connection broke")
        body = Outcome.of(Refusal("interrupted", "the actor's connection broke"), {}).body()
        return p.ResponseStart(503, _JSON, body, stream=False)

    def _leave(self) -> None:
        """Say no more. An action that has begun goes on, as it does when a socket closes."""
        self._end()
        if self._streaming is not None:
            self._streaming.cancel()

    def _end(self) -> None:
        self._ended = True
        self._body.drop()
        self._on_closed(self.channel.id)

    def _call(self, name: str) -> None:
        self._demand_post()
        encoding = self._encoding()

        async def call() -> Outcome:
            return await self._calls.output(name, encoding.read_action(await self._body.read()))

        def answer(outcome: Outcome) -> None:
            if outcome.output is None:
                self._fail(outcome)
            else:
                self._respond(200, encoding.output(outcome.output), encoding.content_type)

        self._serve(name, call, answer)

    def _send(self, queue: str) -> None:
        self._demand_post()
        encoding = self._encoding()

        async def send() -> bytes | Outcome:
            message = encoding.read_queue(await self._body.read())
            if not message.wait:
                await self._queues.send(queue, message.body)
                return encoding.queue_result("completed", None)
            outcome = await self._queues.ask(queue, message.body, message.timeout_ms)
            if outcome is None:
                return encoding.queue_result("timedOut", None)
            if outcome.output is None:
                return outcome
            return encoding.queue_result("completed", outcome.output)

        def answer(result: bytes | Outcome) -> None:
            if isinstance(result, Outcome):
                self._fail(result)
            else:
                self._respond(200, result, encoding.content_type)

        self._serve("queue", send, answer)

    def _request(self, path: str, query: str) -> None:
        request = Request(self._start.method, path, query, self._headers, self._body)

        async def answer() -> None:
            await self._write(await self._calls.request(request))

        self._serve("request", answer, lambda _: None)

    def _serve(
        self, name: str, work: Callable[[], Awaitable[T]], done: Callable[[T], None]
    ) -> None:
        params = _wire.parse_params(self._headers.get("x-rivet-conn-params", ""))
        self._calls.serve(name, work, done, self._fail, params)

    async def _write(self, response: Response) -> None:
        body = response.body.encode() if isinstance(response.body, str) else response.body
        if self._start.response_stream and not (isinstance(body, bytes) and len(body) <= _WHOLE):
            await self._stream(response, once(body) if isinstance(body, bytes) else body)
            return
        whole = await collect(once(body) if isinstance(body, bytes) else body, MAX_SENT_BYTES)
        self._respond(response.status, whole, headers=response.headers)

    async def _stream(self, response: Response, body: AsyncIterable[bytes | str]) -> None:
        if self._ended:
            return
        self._streaming = asyncio.current_task()
        headers = dict(response.headers)
        self.channel.send(p.ResponseStart(response.status, headers, None, stream=True))
        async with aclosing(pieces(body)) as parts:
            async for part in parts:
                await self._answer.send(part)
        self._answer.finish()
        self._end()

    def _demand_post(self) -> None:
        if self._start.method != "POST":
            raise Refusal("method_not_allowed", "this is called with POST")

    def _encoding(self) -> Encoding:
        return encoding_named(self._headers.get("x-rivet-encoding", JSON.name))

    def _fail(self, outcome: Outcome) -> None:
        if self._streaming is not None and not self._ended:
            kind = p.AbortKind.HANDLER_ERROR
            self.channel.send(p.ResponseAbort(kind, f"{outcome.group}.{outcome.code}"))
            self._end()
        else:
            status = 400 if outcome.group == "user" else _STATUS.get(outcome.code, 400)
            self._respond(status, outcome.body())

    def _respond(
        self,
        status: int,
        body: bytes,
        content_type: str = JSON.content_type,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not self._ended:
            fields = {"content-type": content_type} if headers is None else dict(headers)
            self.channel.send(p.ResponseStart(status, fields, body, stream=False))
            self._end()
