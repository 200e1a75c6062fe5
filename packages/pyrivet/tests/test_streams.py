"""Bodies of HTTP requests that stream in both directions, at the pace of whoever is slower."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pyrivet import Actor, ActorOptions, ClientGone, Engine, Request, Response, engine

from .conftest import Stage, gateway_url

pytestmark = [pytest.mark.anyio, pytest.mark.live]

MIB = 1 << 20
BIG = 64
UPLOAD = 24
# What the engine and the sockets on the way hold of an answer that nobody reads.
ON_THE_WAY = 16 * MIB


class Pipe(Actor):
    """Answers with streams, and notes how they went."""

    options = ActorOptions(write_timeout=timedelta(seconds=2), max_message_bytes=2 * MIB)

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()
        self.problem: Exception | None = None
        self.reading = asyncio.Event()

    async def on_request(self, request: Request) -> Response:
        match request.path:
            case "/shout":
                return Response(self._shout(await request.body()))
            case "/size":
                await self.reading.wait()
                return Response(str(sum([len(chunk) async for chunk in request.stream()])))
            case "/whole":
                return Response(str(len(await request.body())))
            case "/refuse":
                return Response("no", 403)
            case "/taste":
                async for _ in request.stream():
                    return Response("no", 403)
            case "/bytes":
                return Response(b"x" * int(request.query), headers={"content-type": "x/y"})
            case "/fail":
                return Response(self._fail())
            case "/try":
                return await self._try(request)
        return Response(self._blocks(int(request.query)))

    async def _shout(self, words: bytes) -> AsyncIterator[str]:
        """Say three letters each time that somebody wants to hear more."""
        for start in range(0, len(words), 3):
            await self.reading.wait()
            self.reading.clear()
            yield words[start : start + 3].decode().upper()

    async def _blocks(self, count: int) -> AsyncIterator[bytes]:
        try:
            for number in range(count):
                yield bytes([number % 256]) * MIB
                self.sent += MIB
        finally:
            self.ended.set()

    async def _fail(self) -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("on purpose")

    async def _try(self, request: Request) -> Response:
        self.reading.set()
        try:
            return Response(str(len(await request.body())))
        except ClientGone as error:
            self.problem = error
            raise
        finally:
            self.ended.set()


async def settled(count: Callable[[], int]) -> None:
    """Wait until something has begun and then stands still."""
    before = 0
    while count() > before or not before:
        before = count()
        await asyncio.sleep(0.5)


@asynccontextmanager
async def by_hand(
    url: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, Callable[[bytes], Awaitable[None]]]]:
    """Post in chunks and read at the same time, which HTTPX does not."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {address.path}?{address.query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")

    async def send(chunk: bytes) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()

    yield reader, send
    writer.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
async def pipe(stage: Stage) -> Pipe:
    """Return the only instance there will be."""
    pipe = Pipe()
    await stage.work(pipe=lambda: pipe)
    return pipe


@pytest.fixture
def url(stage: Stage, key: list[str]) -> str:
    return gateway_url(stage, "pipe", key, "/request/{}")


async def test_pieces_arrive_when_they_are_sent(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    async with http.stream("POST", url.format("shout"), content=b"onetwo") as answer:
        pieces = answer.aiter_text()
        for expected in ("ONE", "TWO"):
            pipe.reading.set()
            assert await anext(pieces) == expected
        assert [piece async for piece in pieces] == []


async def test_answer_need_not_wait_for_the_body(pipe: Pipe, url: str) -> None:
    for path in ("refuse", "taste"):
        async with by_hand(url.format(path)) as (reader, send):
            await send(b"x" * MIB)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403")


async def test_big_answers_arrive_whole(pipe: Pipe, url: str, http: httpx.AsyncClient) -> None:
    digest = hashlib.sha256()
    async with http.stream("GET", url.format("blocks") + "&24") as answer:
        async for chunk in answer.aiter_bytes():
            digest.update(chunk)
    expected = hashlib.sha256(b"".join(bytes([n]) * MIB for n in range(24)))
    assert digest.digest() == expected.digest()

    whole = await http.get(url.format("bytes") + f"&{3 * MIB}")
    assert (len(whole.content), whole.headers["content-type"]) == (3 * MIB, "x/y")


async def test_client_that_stops_reading_is_dropped_and_holds_little(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    async with http.stream("GET", url.format("blocks") + f"&{BIG}") as answer:
        await pipe.ended.wait()
        assert pipe.sent <= ON_THE_WAY
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()


async def test_sender_waits_for_an_actor_that_reads_later(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    produced: list[int] = []

    async def send() -> AsyncIterator[bytes]:
        for _ in range(UPLOAD):
            yield b"x" * MIB
            produced.append(MIB)

    upload = asyncio.create_task(http.post(url.format("size"), content=send()))
    await settled(lambda: len(produced))
    assert sum(produced) <= ON_THE_WAY
    pipe.reading.set()
    assert (await upload).text == str(UPLOAD * MIB)


async def test_whole_body_over_the_limit_is_refused(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    assert (await http.post(url.format("whole"), content=b"x" * (2 * MIB))).text == str(2 * MIB)
    answer = await http.post(url.format("whole"), content=b"x" * (2 * MIB + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "message_too_big")


async def test_failure_in_the_middle_cuts_the_answer_off(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    # The gateway may hang up before it has passed on how the answer began.
    with pytest.raises(httpx.RemoteProtocolError):
        async with http.stream("GET", url.format("fail")) as answer:
            await answer.aread()


async def test_client_that_leaves_ends_the_answer(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    async with http.stream("GET", url.format("blocks") + f"&{BIG}") as answer:
        await anext(answer.aiter_bytes())
    await pipe.ended.wait()
    assert pipe.sent < BIG * MIB


async def test_actor_learns_that_a_sender_has_left(
    pipe: Pipe, url: str, http: httpx.AsyncClient
) -> None:
    async def send() -> AsyncIterator[bytes]:
        yield b"begun"
        await asyncio.Event().wait()

    upload = asyncio.create_task(http.post(url.format("try"), content=send()))
    await pipe.reading.wait()
    upload.cancel()
    await pipe.ended.wait()
    assert isinstance(pipe.problem, ClientGone)


async def test_where_the_engine_does_not_stream_answers_are_collected(
    engine_binary: Path,
    tmp_path: Path,
    key: list[str],
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(engine._SETTINGS, "FEATURES__GUARD_GATEWAY_V3__MODE", "off")
    async with Engine(engine_binary, tmp_path) as old, Stage.on(old) as stage:
        await stage.work(pipe=Pipe)
        url = gateway_url(stage, "pipe", key, "/request/{}")
        whole = await http.get(url.format("blocks") + "&3")
        assert whole.content == b"".join(bytes([n]) * MIB for n in range(3))
        too_big = await http.get(url.format("blocks") + "&17")
        assert (too_big.status_code, too_big.json()["code"]) == (500, "output_too_big")
        assert (await http.post(url.format("whole"), content=b"whole")).text == "5"
