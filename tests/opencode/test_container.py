"""The parts of the container runtime that need no engine."""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from growqr.opencode.container import _is_dead, _worker
from growqr.opencode.container_engine import engine_socket
from growqr.opencode.container_output import Printed
from growqr.opencode.handover import Handover
from growqr.opencode.seccomp import seccomp_profile
from growqr.opencode.stages import listen
from growqr.opencode.types import SandboxUnavailable

pytestmark = pytest.mark.anyio

RELAY = Path("src/growqr/opencode/inside/relay.py").resolve()


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def frame(text: bytes, kind: int = 1) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_printed_bytes_come_out_of_their_frames(size: int) -> None:
    sent = frame(b"hello ") + frame(b"", 2) + frame(b"world", 2)
    chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
    printed = Printed(httpx.Response(200, stream=Chunks(*chunks)))
    found = b""
    while piece := await printed.read(4):
        assert len(piece) <= 4
        found += piece
    assert found == b"hello world"


async def test_a_frame_that_claims_to_be_huge_is_not_collected() -> None:
    head = b"\1\0\0\0\xff\xff\xff\xff"
    printed = Printed(httpx.Response(200, stream=Chunks(head, b"ab", b"cd")))
    assert [await printed.read(10) for _ in range(3)] == [b"ab", b"cd", b""]


class Silence(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


async def test_a_reader_is_let_go_when_the_container_is_forgotten() -> None:
    printed = Printed(httpx.Response(200, stream=Silence()))
    reading = asyncio.create_task(printed.read(10))
    await asyncio.sleep(0)  # it begins to read
    await printed.aclose()
    assert await reading == b""
    assert await printed.read(10) == b""


@pytest.mark.parametrize("own", [True, False])
async def test_the_control_socket_goes_to_its_own_uid_only(tmp_path: Path, own: bool) -> None:
    listening = listen(tmp_path / "c")
    handover = Handover(tmp_path / "d", listening, os.geteuid() if own else 12345)
    try:
        os.chown(tmp_path / "d", os.geteuid(), os.getegid())
        with socket.socket(socket.AF_UNIX) as caller:
            await asyncio.to_thread(caller.connect, str(tmp_path / "d"))
            _, numbers, _, _ = await asyncio.to_thread(socket.recv_fds, caller, 1, 1)
        assert len(numbers) == own
        for number in numbers:
            with socket.socket(fileno=number) as given:
                assert given.getsockname() == str(tmp_path / "c")
    finally:
        await handover.aclose()


async def test_the_relay_joins_what_it_was_given_and_ends_with_it(tmp_path: Path) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        writer.close()

    far = await asyncio.start_unix_server(shout, tmp_path / "far")
    handover = Handover(tmp_path / "d", listen(tmp_path / "c"), os.geteuid())
    relay = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(RELAY), f"given:{tmp_path / 'd'}", f"unix:{tmp_path / 'far'}")
    )
    try:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "c")
        writer.write(b"hi")
        writer.write_eof()
        assert await reader.read() == b"HI"
        writer.close()
    finally:
        await handover.aclose()
    assert await relay.wait() == 0  # which ends the container around it
    far.close()


def test_orphans_are_only_those_of_dead_workers_of_this_host() -> None:
    mine = _worker()
    seen, pid, started = json.loads(mine)
    assert not _is_dead(mine)
    assert _is_dead(json.dumps([seen, pid, started + 1]))
    assert not _is_dead(json.dumps(["another boot", pid, started + 1]))
    assert not _is_dead("no worker of ours")


def test_the_profile_refuses_what_bubblewraps_filter_refuses() -> None:
    rules = json.loads(seccomp_profile())
    plain = {name for rule in rules["syscalls"] if "args" not in rule for name in rule["names"]}
    assert {"ptrace", "mount", "unshare", "setns", "bpf", "io_uring_setup", "clone3"} <= plain
    assert sum(rule["names"] == ["clone"] for rule in rules["syscalls"]) == 7


def test_both_recipes_of_the_image_name_the_same_packages() -> None:
    containerfile = Path("deploy/Containerfile").read_text()
    script = Path("deploy/build-image").read_text()
    pulled = re.search(r"--no-install-recommends \\\n(.*?) \\\n", containerfile, re.DOTALL)
    built = re.search(r"packages=\$\{PACKAGES:-(.*)\}", script)
    assert pulled
    assert built
    assert pulled[1].split() == built[1].split(",")


def test_the_setting_names_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with pytest.raises(SandboxUnavailable, match="GROWQR_SANDBOX__ENGINE"):
        engine_socket(f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        assert engine_socket(f"unix://{path}") == path
