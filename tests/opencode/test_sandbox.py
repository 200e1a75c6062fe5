"""What a program inside the sandbox can reach, tried from inside and looked at from outside."""

import asyncio
import glob
import json
import os
import signal
import socket
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from growqr.opencode import (
    Finished,
    StatusChanged,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    Workspace,
    WorkspaceFile,
)
from growqr.opencode.container_engine import ContainerEngine
from tests.opencode.conftest import BOTH, Running, Runtime, ask, spec

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PROBE = r"""
import ctypes, glob, json, os, socket, subprocess, sys

libc = ctypes.CDLL(None, use_errno=True)
host_secret, host_port, abstract = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def attempt(work):
    try:
        work()
        return "worked"
    except OSError as error:
        return type(error).__name__

def call(name, *arguments):
    return "worked" if getattr(libc, name)(*arguments) >= 0 else os.strerror(ctypes.get_errno())

def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        s.connect(address)

def environment(pid):
    try:
        return open(f"/proc/{pid}/environ").read()
    except OSError:
        return ""

print(json.dumps({
    "outside": attempt(lambda: connect(socket.AF_INET, ("192.0.2.1", 80))),
    "host_loopback": attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", host_port))),
    "abstract": attempt(lambda: connect(socket.AF_UNIX, "\0" + abstract)),
    "dns": attempt(lambda: socket.getaddrinfo("example.com", 80)),
    "host_file": attempt(lambda: open(host_secret)),
    "root": attempt(lambda: os.listdir("/root")),
    "write_usr": attempt(lambda: open("/usr/x", "w")),
    "write_root": attempt(lambda: open("/x", "w")),
    "write_dev": attempt(lambda: open("/dev/x", "w")),
    "write_config": attempt(lambda: open("/opt/config/opencode/opencode.json", "w")),
    "write_relay": attempt(lambda: open("/opt/relay.py", "w")),
    "core_pattern": attempt(lambda: open("/proc/sys/kernel/core_pattern", "w")),
    "unshare": call("unshare", 0x10000000),
    "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "ptrace": call("ptrace", 16, os.getppid(), 0, 0),
    "netlink": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()),
    "setuid": attempt(lambda: os.setuid(0)),
    "home": attempt(lambda: open("/home/agent/x", "w")),
    "tmp": attempt(lambda: open("/tmp/x", "w")),
    "init": environment(1),
    "environments": "".join(environment(p.split("/")[2]) for p in glob.glob("/proc/[0-9]*/")),
    "pids": len(glob.glob("/proc/[0-9]*/")),
    "rg": subprocess.run(["rg", "--version"], capture_output=True).returncode,
}))
"""


async def probe(workspace: Workspace, secret: Path, port: int, abstract: str) -> dict[str, object]:
    await workspace.write_files([WorkspaceFile("probe.py", PROBE.encode())])
    run = f"run: python3 probe.py {secret} {port} {abstract} > out.json"
    assert isinstance((await ask(workspace, run))[-1], Finished)
    [found] = [file for file in await workspace.files() if file.path == "out.json"]
    answer: dict[str, object] = json.loads(found.content)
    return answer


@BOTH
async def test_nothing_of_the_host_is_in_reach(
    running: Running, runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROWQR_TEST_SECRET", "not-for-sandboxes")
    secret = tmp_path / "secret"
    secret.write_text("host")
    secret.chmod(0o644)
    abstract = f"growqr-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as loopback, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + abstract)
        unix.listen()
        async with running() as workspaces:
            workspace = await workspaces.get(spec())
            found = await probe(workspace, secret, loopback.getsockname()[1], abstract)
            assert workspace.server_pid is not None
            uids = {uid for pid in tree(workspace.server_pid) for uid in uids_of(pid)}
    environments = str(found.pop("environments"))
    init = str(found.pop("init"))
    assert int(str(found.pop("pids"))) < 12
    # of files and sockets: only what belongs to the sandbox
    reached = {name for name, result in found.items() if result in ("worked", 0)}
    assert reached == {"home", "tmp", "rg"}
    assert len(found) == 20
    for call in ("unshare", "mount", "ptrace"):
        assert found[call] == "Operation not permitted"
    assert "OPENCODE" in environments  # it did read something
    assert "not-for-sandboxes" not in environments
    assert "host-proxy-password" not in environments  # of the container engine
    if runtime["runtime"] == "bubblewrap":
        assert "OPENCODE" not in init
        assert "GROWQR" not in init
    assert 0 not in uids
    assert len(uids) == 1


@BOTH
async def test_two_workspaces_have_two_host_uids_and_keep_them(running: Running) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    seen: list[dict[str, int]] = []
    for _ in range(2):
        uids = {}
        async with running() as workspaces:
            for name in ("a", "b"):
                workspace = await workspaces.get(spec(name))
                await workspace.start()
                assert workspace.server_pid is not None
                uids[name] = uids_of(workspace.server_pid)[0]
                assert workspace.path.stat().st_uid == uids[name]
        assert uids["a"] != uids["b"]
        seen.append(uids)
    assert seen[0] == seen[1]


FORKS = b"""
import os, signal
pids = []
try:
    while len(pids) < 1000:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pids.append(pid)
except OSError as error:
    print(type(error).__name__, len(pids))
for pid in pids:
    os.kill(pid, signal.SIGKILL)
"""


@BOTH
async def test_a_memory_or_fork_bomb_hits_only_its_tools(running: Running) -> None:
    async with running(memory_bytes=900 << 20, max_processes=160) as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        pid = workspace.server_pid
        eaten = await ask(workspace, "run: python3 -c \"b'x' * (2 << 30)\"", session_id)
        assert isinstance(eaten[1], ToolFinished)
        assert eaten[1].exit_code in (1, 128 + signal.SIGKILL)  # 1: no memory control group
        await workspace.write_files([WorkspaceFile("forks.py", FORKS)])
        forked = await ask(workspace, "run: python3 forks.py", session_id)
        assert isinstance(forked[1], ToolFinished)
        failure, count = forked[1].output.split()
        assert failure == "BlockingIOError"
        assert int(count) < 160
        assert isinstance((await ask(workspace, "run: true", session_id))[-1], Finished)
        assert workspace.server_pid == pid


SWARM = b"""
import os, time
for _ in range(60):
    if os.fork() == 0:
        # as likely to be ended as the server, which is the largest
        open("/proc/self/oom_score_adj", "w").write("0")
        held = b"x" * (20 << 20)
        time.sleep(600)
time.sleep(600)
"""


@BOTH
async def test_processor_time_is_limited(
    running: Running,
) -> None:
    spin = "for _ in 1 2; do while :; do :; done & done; wait"
    async with running(cpus=0.5) as workspaces:
        workspace = await workspaces.get(spec())
        session_id = await workspace.create_session("Test")
        if any("control group for processor time" in line.text for line in workspace.logs()):
            pytest.skip("this host gives no control group for processor time")
        assert workspace.server_pid is not None
        group = cpu_group(workspace.server_pid)
        assert group is not None
        assert allowed_processors(group) == 0.5
        async with aclosing(workspace.prompt(session_id, f"run: {spin}")) as turn:
            assert isinstance(await anext(turn), ToolStarted)
            held_back = times_held_back(group)
            while times_held_back(group) < held_back + 5:
                await asyncio.sleep(0.01)
            groups = {pid: cpu_group(pid) for pid in tree(workspace.server_pid)}
            still_there = groups.keys() & tree(workspace.server_pid)
            assert {groups[pid] for pid in still_there} == {group}


@BOTH
async def test_a_server_that_runs_out_of_memory_is_noticed_and_told(
    running: Running, runtime: Runtime
) -> None:
    async with running(memory_bytes=900 << 20) as workspaces:
        workspace = await workspaces.get(spec())
        await workspace.write_files([WorkspaceFile("swarm.py", SWARM)])
        session_id = await workspace.create_session("Test")
        if any("no control group" in line.text for line in workspace.logs()):
            pytest.skip("this host gives no control group for memory")
        async with workspace.watch() as events:
            last = (await ask(workspace, "run: python3 swarm.py", session_id))[-1]
            async for event in events:
                if isinstance(event, StatusChanged) and event.status.state == "failed":
                    break
        assert isinstance(last, TurnFailed)
        assert last.retryable
        wanted = "killed: the workspace's memory ran out"
        if runtime["runtime"] == "container":  # Podman does not always know
            wanted = "memory ran out"
        assert wanted in last.reason
        assert workspace.status.reason == last.reason
        assert isinstance((await ask(workspace, "run: true", session_id))[-1], Finished)


@BOTH
async def test_nothing_stays_after_a_stop(running: Running) -> None:
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        await ask(workspace, "run: setsid sleep 600 > /dev/null 2>&1 &")
        assert workspace.server_pid is not None
        assert workspace._server is not None
        stage = workspace._server.stage
        pids = tree(workspace.server_pid)
        assert len(pids) > 3
        await workspace.stop()
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.01)  # dead already; the host's init has yet to reap them
        assert not stage.exists()
        assert not glob.glob(f"/sys/fs/cgroup/**/*{workspace.spec.id}*", recursive=True)
        assert not (workspace.path.parent / "run.json").exists()


WORKER = """
import anyio, sys
from pathlib import Path
from growqr.models.gateway import ModelGateway
from growqr.opencode import Workspaces, WorkspaceSpec
from growqr.settings import Settings

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]))
    workspaces = Workspaces(settings, ModelGateway(settings.model))
    workspace = await workspaces.get(WorkspaceSpec(sys.argv[2], "usr_1", "act_w1"))
    await workspace.start()
    print(workspace.server_pid, flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


@BOTH
async def test_a_killed_worker_takes_its_servers_along(
    running: Running, runtime: Runtime, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WORKER, str(tmp_path / "data"), spec().id]
    settings = {f"GROWQR_SANDBOX__{name.upper()}": value for name, value in runtime.items()}
    worker = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **settings}
    )
    assert worker.stdout is not None
    pids = tree(int(await worker.stdout.readline()))
    worker.kill()
    await worker.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        await asyncio.sleep(0.01)
    record = tmp_path / "data/workspaces/usr_1/act_w1/run.json"
    stage = Path(json.loads(record.read_text())["stage"])
    assert stage.exists()
    async with running() as workspaces:
        await workspaces.get(spec())
        assert not record.exists()
        assert not stage.exists()
        if "engine" in runtime:
            left = ContainerEngine(Path(runtime["engine"]))
            assert await left.labelled(f"growqr.workspaces={tmp_path / 'data'}") == []
            await left.aclose()


def cpu_group(pid: int) -> Path | None:
    """Return the control group that decides about a process's processor time; None: it ended."""
    top = Path("/sys/fs/cgroup")
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    groups = [line.split(":", 2) for line in lines]
    for _, controllers, path in groups:
        if "cpu" in controllers.split(","):
            return top / controllers / path.lstrip("/")
    [path] = [path for number, _, path in groups if number == "0"]
    return top / path.lstrip("/")


def allowed_processors(group: Path) -> float:
    if (group / "cpu.max").exists():
        quota, period = (group / "cpu.max").read_text().split()
    else:
        quota, period = ((group / f"cpu.cfs_{kind}_us").read_text() for kind in ("quota", "period"))
    return int(quota) / int(period)


def times_held_back(group: Path) -> int:
    lines = (group / "cpu.stat").read_text().splitlines()
    return {name: int(value) for name, value in map(str.split, lines)}["nr_throttled"]


def tree(pid: int) -> list[int]:
    """Return a process and all below it; what OpenCode runs for itself may end meanwhile."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    if state == "Z":
        return []
    return [pid, *(p for child in below for p in tree(int(child)))]


def uids_of(pid: int) -> list[int]:
    """Return the user ids of a process, none if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    return [int(uid) for line in lines if line.startswith("Uid:") for uid in line.split()[1:]]
