"""Locks OpenCode servers in with bubblewrap: own namespaces, own host uid, no network.

Every server gets an empty network, a read-only system, and as writable folders only its
workspace, its home and small memory file systems. Two ways lead in and out: the control
socket, which this side makes and passes in as an open file, and the model gateway's socket.
As root, the server runs under a host uid of its own; bubblewrap is never started by uid 0,
because a root that only *looks* unprivileged inside still owns the host's files. Without
root everything runs as the current user: the mounts still hide the rest, but the separation
between two workspaces' files rests on them alone, and without control groups memory is limited
for each process, not for all together.
"""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from growqr.opencode.binaries import find_program
from growqr.opencode.cgroups import Cgroups, make_cgroups
from growqr.opencode.sandbox import HOME, MODEL_PORT, SERVER_PORT, WORKSPACE, SandboxSpec
from growqr.opencode.seccomp import seccomp_filter
from growqr.opencode.stages import listen, make_stage, remove_stage
from growqr.opencode.types import SandboxUnavailable

_INSIDE = Path(__file__).parent / "inside"
_TMP_BYTES = 256 << 20
_SHM_BYTES = 64 << 20
_SERVER_PROCESSES = 100
"""Kept from the tools, for the server's threads."""
_SERVER_ADDRESS_SPACE = 16 << 30
"""Without a control group; the server reserves far more than it uses, and needs some of it."""
_PYTHON = "/usr/bin/python3"


class BubblewrapSandbox:
    """The `Sandbox` for hosts that let an unprivileged user make namespaces."""

    async def start(self, spec: SandboxSpec) -> "BubblewrapRunning":
        """Start the server. Keep the calling thread alive: the server dies with it.

        Raises:
            SandboxUnavailable: a program is missing, or uid 0 would run the server.
        """
        as_root = os.geteuid() == 0
        if as_root and not spec.uid:
            raise SandboxUnavailable("A sandbox needs a host uid of its own that is not 0.")
        bwrap = find_program("bwrap", "bubblewrap")
        find_program("setpriv", "util-linux")
        if not Path(_PYTHON).exists():
            raise SandboxUnavailable(
                f"The sandbox needs `{_PYTHON}`: install it with `apt-get install python3`."
            )
        stage = _Stage.make(spec, private=as_root)
        cgroups = make_cgroups(
            spec.id,
            memory_bytes=spec.memory_bytes,
            max_processes=spec.max_processes,
            cpus=spec.cpus,
        )
        try:
            with listen(stage.control) as listening, _Files() as files:
                arguments = "\0".join([*_arguments(spec, stage, files, cgroups), ""])
                process = await asyncio.create_subprocess_exec(
                    *_launcher(spec, stage, cgroups, as_root=as_root),
                    *(str(bwrap), "--args", files.add(arguments.encode())),
                    *("/bin/bash", "-c", _inner(listening.fileno())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                    # pid 1 inside is bubblewrap itself, so its environment is readable there
                    env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                    cwd="/",
                    pass_fds=[*files.numbers, listening.fileno()],
                    start_new_session=True,
                )
        except BaseException as error:
            stage.remove()
            await cgroups.remove()
            if isinstance(error, OSError):
                raise SandboxUnavailable(f"The sandbox did not start: {error}.") from error
            raise
        return BubblewrapRunning(process, stage, cgroups)

    async def end_orphans(self) -> int:
        return 0  # they die with their worker, and `Places` looks after what remains

    async def aclose(self) -> None:
        pass


class BubblewrapRunning:
    """A started sandbox: bubblewrap's process and what it holds on the host."""

    def __init__(
        self, process: asyncio.subprocess.Process, stage: "_Stage", cgroups: Cgroups
    ) -> None:
        assert process.stdout is not None
        self._process = process
        self._stage = stage
        self._cgroups = cgroups
        self.pid = process.pid
        self.control = stage.control
        self.stage = stage.folder
        self.output = process.stdout
        self.notes = [
            f"This host gives no control group for {what}: only per-process limits hold."
            for what in cgroups.missing
        ]

    async def memory_bytes(self) -> int | None:
        found = self._cgroups.memory_bytes()
        return found if found is not None else await asyncio.to_thread(_resident, self.pid)

    async def wait(self) -> int:
        return await self._process.wait()

    async def out_of_memory(self) -> bool | None:
        return self._cgroups.out_of_memory()

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self._stage.remove()
        await self._cgroups.remove()


def _resident(pid: int) -> int:
    """Return the memory that a process and all below it hold; shared pages count each time."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in below)


class _Files:
    """Open files in memory that the started process inherits; closed here at exit."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        for number in self.numbers:
            os.close(number)

    def add(self, content: bytes) -> str:
        """Return the number of a new file with this content, as an argument."""
        number = os.memfd_create("growqr")
        self.numbers.append(number)
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(content)
        os.lseek(number, 0, os.SEEK_SET)
        return str(number)


class _Stage:
    """A short-named folder for the control socket and, with root, the places of private mounts."""

    def __init__(self, folder: Path, sources: dict[str, Path], *, private: bool) -> None:
        self.folder = folder
        self.control = folder / "control.sock"
        self._sources = sources
        self._private = private

    @classmethod
    def make(cls, spec: SandboxSpec, *, private: bool) -> "_Stage":
        sources = {
            "ws": spec.root / "ws",
            "home": spec.root / "home",
            "model.sock": spec.model_socket,
            "opencode": spec.opencode,
        }
        if ripgrep := shutil.which("rg"):
            sources["rg"] = Path(ripgrep).resolve()
        stage = cls(make_stage(), sources, private=private)
        if private:
            for name, source in sources.items():
                if source.is_dir():
                    (stage.folder / name).mkdir()
                else:
                    (stage.folder / name).touch()
        return stage

    def source(self, name: str) -> str:
        """Where bubblewrap finds this part."""
        return str(self.folder / name if self._private else self._sources[name])

    def has(self, name: str) -> bool:
        return name in self._sources

    @property
    def mounts(self) -> Iterator[str]:
        """Pairs of source and target, to be mounted by the launcher."""
        if self._private:
            for name, source in self._sources.items():
                yield from (str(source.absolute()), str(self.folder / name))

    def remove(self) -> None:
        remove_stage(self.folder)


def trial(uid: int) -> list[str]:
    """Return a command that succeeds where sandboxes can be made, and else prints why not.

    `uid` is one for sandboxes; it counts only when the command runs as root.
    """
    as_root = os.geteuid() == 0
    return [
        *_entering(as_root=as_root),
        *(str(uid) if as_root else "", "", str(_SERVER_PROCESSES), "", "--"),
        *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"),
        *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "/usr/bin/true"),
    ]


def _entering(*, as_root: bool) -> list[str]:
    private = ["unshare", "--mount", "--propagation", "private", "--"] if as_root else []
    return [*private, "/bin/bash", str(_INSIDE / "launch")]


def _launcher(spec: SandboxSpec, stage: _Stage, cgroups: Cgroups, *, as_root: bool) -> list[str]:
    return [
        *_entering(as_root=as_root),
        str(spec.uid) if as_root else "",
        " ".join(map(str, cgroups.procs)),
        str(spec.max_processes),
        str(_SERVER_ADDRESS_SPACE // 1024 if "memory" in cgroups.missing else ""),
        *stage.mounts,
        "--",
    ]


def _counts_per_namespace() -> bool:
    """Tell whether the limit on a user's processes counts those of a user namespace alone.

    Since Linux 5.14; before, it would count all of the person's who runs this without root.
    """
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)


def _inner(listening: int) -> str:
    relay = (
        f"{_PYTHON} -I /opt/relay.py fd:{listening} tcp:{SERVER_PORT} "
        f"tcp:{MODEL_PORT} unix:/run/model.sock"
    )
    # the server must not hold the listening socket: only the relay accepts
    server = f"exec opencode serve --hostname 127.0.0.1 --port {SERVER_PORT} --pure"
    # somebody inside may end every Python program there is; the connection then comes back
    keep_up = f"(until {relay}; do sleep 0.2; done)"
    # niceness counts only within a session where the kernel weighs sessions (autogroups)
    give_way = "{ echo 5 > /proc/self/autogroup; } 2> /dev/null"
    return f"{give_way}; {keep_up} & exec {listening}<&-; {server}"


def _arguments(spec: SandboxSpec, stage: _Stage, files: _Files, cgroups: Cgroups) -> Sequence[str]:
    """Bubblewrap's arguments; passed in a file, so no command line shows the environment."""
    relay = (_INSIDE / "relay.py").read_bytes()
    shell = (_INSIDE / "toolshell").read_bytes()
    passwd = f"agent:x:1000:1000::{HOME}:/bin/bash\n".encode()
    environment = {
        "HOME": HOME,
        "USER": "agent",
        "LANG": "C.UTF-8",
        "PATH": "/opt/bin:/usr/local/bin:/usr/bin:/bin",
        "XDG_CONFIG_HOME": "/opt/config",
        **spec.environment,
    }
    if spec.uid or _counts_per_namespace():
        tools = max(32, spec.max_processes - _SERVER_PROCESSES)
        environment["GROWQR_TOOL_PROCESSES"] = str(tools)
    if "memory" in cgroups.missing:  # programs reserve more than they use
        environment["GROWQR_TOOL_KIB"] = str(spec.memory_bytes * 2 // 1024)
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--new-session"),
        *("--die-with-parent", "--clearenv", "--cap-drop", "ALL"),
        *("--hostname", "workspace", "--uid", "1000", "--gid", "1000"),
        *("--seccomp", files.add(seccomp_filter())),
        *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin"),
        *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
        *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
        *("--ro-bind-try", "/etc/ssl", "/etc/ssl"),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
        *("--perms", "0444", "--file", files.add(passwd), "/etc/passwd"),
        *("--perms", "0444", "--file", files.add(b"agent:x:1000:\n"), "/etc/group"),
        *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"),
        *("--size", str(_TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108
        *("--size", str(_SHM_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--ro-bind", stage.source("opencode"), "/opt/bin/opencode"),
        *(("--ro-bind", stage.source("rg"), "/opt/bin/rg") if stage.has("rg") else ()),
        *("--perms", "0444", "--file", files.add(relay), "/opt/relay.py"),
        *("--perms", "0555", "--file", files.add(shell), "/opt/sh/bash"),
        # without this file OpenCode tries to write it, and answers nothing when it can't
        *("--perms", "0444", "--file", files.add(b"*\n"), "/opt/config/opencode/.gitignore"),
        *("--ro-bind" if spec.read_only else "--bind", stage.source("ws"), WORKSPACE),
        *("--bind", stage.source("home"), HOME),
        *("--ro-bind", stage.source("model.sock"), "/run/model.sock"),
        *("--remount-ro", "/", "--remount-ro", "/dev", "--chdir", WORKSPACE),
        *(part for name, value in environment.items() for part in ("--setenv", name, value)),
    ]
