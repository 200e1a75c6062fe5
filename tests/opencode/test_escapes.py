"""Attempts to get out of a sandbox, made through the real OpenCode in both runtimes.

`docs/security.md` lists them with what stops each. More of them: `test_sandbox.py` (looking
around, bombs, what is left behind), `test_files.py` (links under the platform's feet).
"""

import json
import os
from typing import Any

import pytest

from growqr.opencode import (
    Finished,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    WorkspaceFile,
    upkeep,
)
from tests.opencode.conftest import BOTH, Running, Runtime, ask, spec

pytestmark = [pytest.mark.anyio, pytest.mark.live]

ATTEMPTS = r"""
import ctypes, http.client, json, os, resource, signal, socket, sys

other_workspace, host_pid, model_socket, engine, others_token = sys.argv[1:]
host_pid = int(host_pid)
libc = ctypes.CDLL(None, use_errno=True)

def attempt(work):
    try:
        return work() or "worked"
    except (OSError, ValueError) as error:
        return type(error).__name__

def call(name, *arguments):
    return "worked" if getattr(libc, name)(*arguments) >= 0 else "refused"

def send_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("192.0.2.1", 53))

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def unix(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)

config = json.loads(os.environ["OPENCODE_CONFIG_CONTENT"])
[provider] = config["provider"].values()
own_token = provider["options"]["apiKey"]

def ask_model(path, body, token=own_token):
    connection = http.client.HTTPConnection("127.0.0.1", 9911, timeout=10)
    connection.request("POST", path, json.dumps(body), {"authorization": "Bearer " + token})
    return connection.getresponse().status

def hold(path):
    try:
        with open(path, "wb") as file:
            for megabyte in range(600):
                file.write(b"x" * (1 << 20))
        return 600
    except OSError:
        return megabyte
    finally:
        if os.path.exists(path):
            os.unlink(path)

def suid():
    open("/tmp/s", "w").close()
    os.chmod("/tmp/s", 0o4755)
    os.chown("/tmp/s", 0, 0)

def writable_folders():
    for top, folders, _ in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(top, f) != "/proc"]
        if os.access(top, os.W_OK):
            folders.clear()
            yield top

lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
chat = {"messages": [{"role": "user", "content": "hi"}]}
print(json.dumps({
    "refused": {
        "other_workspace": attempt(lambda: os.listdir(other_workspace)),
        "other_home_up": attempt(lambda: os.listdir("/home/agent/../../workspaces")),
        "model_socket": attempt(lambda: unix(model_socket)),
        "engine": attempt(lambda: unix(engine)),
        "hard_link": attempt(lambda: os.link("/usr/bin/env", "/workspace/env")),
        "hard_link_ours": attempt(lambda: os.link("/opt/bin/opencode", "/home/agent/opencode")),
        "udp": attempt(send_udp),
        "raw": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()),
        "packet": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
        "vsock": attempt(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()),
        "ipv6": attempt(lambda: socket.create_connection(("2001:db8::1", 80), 2)),
        "device": attempt(lambda: os.mknod("/tmp/mem", 0o20666, os.makedev(1, 1))),
        "suid": attempt(suid),
        "remount": call("mount", None, b"/", None, 32 | 4096, None),
        "setns": call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), 0),
        "chroot": attempt(lambda: os.chroot("/tmp")),
        "sysrq": attempt(lambda: open("/proc/sysrq-trigger", "w").write("h")),
        "hostname": call("sethostname", b"x", 1),
        "oom_shield": attempt(lambda: write("/proc/self/oom_score_adj", "-1000")),
        "helper": attempt(lambda: write("/sys/kernel/uevent_helper", "/workspace/x")),
        "faster": attempt(lambda: os.nice(-5)),
        "realtime": attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
        "raise_limit": attempt(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999))),
        "read_memory": call("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
        "fd_of_other": call("syscall", 438, 1, 0, 0),
        "kernel_log": attempt(lambda: open("/dev/kmsg").close()),
        "cgroup": attempt(lambda: open("/sys/fs/cgroup/memory/cgroup.procs", "w").close()),
        "signal": attempt(lambda: os.kill(host_pid, signal.SIGKILL)),
    },
    "gateway": [
        ask_model("/v1/chat/completions", {**chat, "model": "dearer"}),
        ask_model("/v1/files", {**chat, "model": "offline"}),
        ask_model("/v1/../admin", {**chat, "model": "offline"}),
        ask_model("/v1/chat/completions", {**chat, "model": "offline"}, others_token),
    ],
    "capabilities": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")],
    "new_privileges": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "megabytes": [hold("/tmp/x"), hold("/dev/shm/x")],
    "writable": sorted(writable_folders()),
    "limits": open("/proc/self/limits").read(),
}))
"""


@BOTH
async def test_every_attempt_is_stopped(running: Running, runtime: Runtime) -> None:
    async with running() as workspaces:
        other = await workspaces.get(spec("other"))
        await other.write_files([WorkspaceFile("secret", b"s")])
        door = await workspaces._gateway.open(other.spec.id)
        workspace = await workspaces.get(spec())
        # the links wait for whoever reads this folder from outside
        await workspace.write_files([WorkspaceFile("attempts.py", ATTEMPTS.encode())])
        traps = (
            "git init -q . && git config core.fsmonitor 'touch /workspace/ran' &&"
            " printf '#!/bin/sh\\ntouch /workspace/ran\\n' > .git/hooks/pre-commit &&"
            f" chmod +x .git/hooks/pre-commit && ln -s {other.path}/secret linked && ln -s / root"
        )
        [provider] = workspaces._gateway.opencode_config(other.spec.id)["provider"].values()
        token = provider["options"]["apiKey"]
        engine = runtime.get("engine") or "/var/run/docker.sock"
        run = f"python3 attempts.py {other.path} {os.getpid()} {door} {engine} {token} > out.json"
        last = (await ask(workspace, f"run: {traps}\nrun: {run}"))[-1]
        assert isinstance(last, Finished), last
        files = {file.path: file.content for file in await workspace.files()}
    found: dict[str, Any] = json.loads(files["out.json"])
    assert {name for name, result in found["refused"].items() if result == "worked"} == set()
    assert len(found["refused"]) == 28
    assert found["gateway"] == [403, 403, 403, 401]
    assert [int(mask, 16) for mask in found["capabilities"]] == [0, 0, 0, 0]
    assert (found["new_privileges"], found["seccomp"]) == ("1", "2")
    in_tmp, in_shm = found["megabytes"]
    assert in_tmp <= 256
    assert in_shm <= 64
    # in the last two nobody can make files: terminals and queues, both counted by the kernel
    places = {"/workspace", "/home/agent", "/tmp", "/dev/shm", "/dev/pts", "/dev/mqueue"}
    assert set(found["writable"]) <= places
    assert "Max open files            4096" in found["limits"]
    assert set(files) == {"attempts.py", "out.json"}  # no link, no repository, nothing ran


OWN_API = r"""
import base64, json, os, urllib.request
password = os.environ["OPENCODE_SERVER_PASSWORD"]
key = base64.b64encode(f"opencode:{password}".encode()).decode()

def call(path, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:4096{path}",
        json.dumps(body).encode(),
        {"authorization": f"Basic {key}", "content-type": "application/json"},
    )
    return json.load(urllib.request.urlopen(request, timeout=20))

everything = [{"permission": "*", "pattern": "*", "action": "allow"}]
session = call("/session", {"title": "mine", "permission": everything})["id"]
command = "echo x > /workspace/a; id > /tmp/id"
call(f"/session/{session}/shell", {"agent": "build", "command": command})
print("asked itself", os.path.exists("/tmp/id"), os.path.exists("/workspace/a"))
"""


@BOTH
async def test_an_agent_that_grants_itself_everything_gains_nothing(running: Running) -> None:
    """It holds its server's password, so OpenCode's rules bind nobody; the mounts do."""
    async with running() as workspaces:
        workspace = await workspaces.get(spec(read_only=True))
        await workspace.write_files([WorkspaceFile("own.py", OWN_API.encode())])
        progress = await ask(workspace, "run: python3 /workspace/own.py")
        ran = next(item for item in progress if isinstance(item, ToolFinished))
        assert "asked itself True False" in ran.output
        assert [file.path for file in await workspace.files()] == ["own.py"]


@BOTH
async def test_the_platform_answers_while_a_sandbox_runs_wild(running: Running) -> None:
    bombs = (
        "bomb() { bomb | bomb & }; (bomb) 2> /dev/null;"
        " (while :; do head -c 200M /dev/zero | tail; done) > /dev/null 2>&1 & sleep 600"
    )
    async with running(memory_bytes=900 << 20, max_processes=160) as workspaces:
        wild, calm = await workspaces.get(spec("wild")), await workspaces.get(spec("calm"))
        wild_session = await wild.create_session("Test")
        calm_session = await calm.create_session("Test")
        turn = wild.prompt(wild_session, f"run: {bombs}")
        assert isinstance(await anext(turn), ToolStarted)
        assert isinstance((await ask(calm, "run: echo calm", calm_session))[-1], Finished)
        await wild.stop("it ran wild")
        last = [item async for item in turn][-1]
        assert isinstance(last, TurnFailed)
        # nothing of it is left: it starts again, and the other one never noticed
        again = await ask(wild, "run: echo again", wild_session)
        assert ToolFinished("bash", "echo again", "again\n", 0) in again
        # all its processes at once are its own sandbox only
        last = (await ask(wild, "run: kill -9 -1", wild_session))[-1]
        assert isinstance(last, TurnFailed)
        assert isinstance((await ask(calm, "run: echo calm", calm_session))[-1], Finished)


@BOTH
async def test_a_filled_disk_stops_the_workspace_and_is_cleared(running: Running) -> None:
    async with running(disk_bytes=256 << 20) as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        big = "for i in $(seq 40); do head -c 20M /dev/zero > big$i; done"
        fill = f"run: echo kept > kept; {big}; sleep 600"
        last = (await ask(workspace, fill, session_id))[-1]
        assert isinstance(last, TurnFailed)
        assert "more than 256 MiB" in last.reason
        await workspace.stop()  # until the stop under way is over
        assert workspace.status.state == "stopped"
        assert "more than 256 MiB" in (workspace.status.reason or "")
        assert isinstance((await ask(workspace, "run: ls", session_id))[-1], Finished)
        paths = [file.path for file in await workspace.files()]
        assert paths[-1] == "kept"
        assert len(paths) <= 2  # of the last one perhaps a beginning, small enough to commit


@BOTH
async def test_an_idle_server_that_holds_much_memory_is_recycled(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "MEMORY_EVERY", 1)
    async with running(recycle_bytes=1 << 20) as workspaces:
        workspace = await workspaces.get(spec())
        async with workspace.watch() as events:
            session_id = await workspace.create_session("Test")
            async for event in events:
                if getattr(getattr(event, "status", None), "state", "") == "stopped":
                    break
        assert "its memory had grown" in (workspace.status.reason or "")
        monkeypatch.setattr(upkeep, "SECONDS", 60)
        assert isinstance((await ask(workspace, "run: true", session_id))[-1], Finished)
