"""What a container is made of: its settings, and a folder of the host with what it mounts."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from growqr.opencode.sandbox import HOME, MODEL_PORT, SERVER_PORT, WORKSPACE, SandboxSpec
from growqr.opencode.seccomp import seccomp_profile
from growqr.opencode.stages import make_stage, remove_stage

_INSIDE = Path(__file__).parent / "inside"
_TMP_BYTES = 256 << 20
_SHM_BYTES = 64 << 20
_FILE_BYTES = 2 << 30
_SERVER_PROCESSES = 100
"""Kept from the tools, for the server's threads."""
_CPU_SHARES = 512
"""What a container weighs where processors are short; others weigh 1024 unless told otherwise."""
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


class ContainerStage:
    """What the container mounts, in a folder of the host."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.folder = make_stage()
        self.control = self.folder / "control.sock"
        self.door = self.folder / "door.sock"
        self.rules = self.folder / "seccomp.json"
        self._spec = spec
        self.rules.write_text(seccomp_profile())
        uid = spec.uid or os.geteuid()
        contents = {
            "passwd": f"agent:x:{uid}:{uid}::{HOME}:/bin/bash\n",
            "group": f"agent:x:{uid}:\n",
            "container": (_INSIDE / "container").read_text(),
            "relay.py": (_INSIDE / "relay.py").read_text(),
            "bash": (_INSIDE / "toolshell").read_text(),
            # without this file OpenCode tries to write it, and answers nothing when it can't
            "ignore": "*\n",
        }
        for name, content in contents.items():
            (self.folder / name).write_text(content)
            (self.folder / name).chmod(0o555 if name == "bash" else 0o444)

    @property
    def binds(self) -> Sequence[str]:
        places = {
            "passwd": "/etc/passwd",
            "group": "/etc/group",
            "container": "/opt/growqr/container",
            "relay.py": "/opt/growqr/relay.py",
            "bash": "/opt/sh/bash",
            "ignore": "/opt/config/opencode/.gitignore",
            "door.sock": "/run/growqr/control.sock",
        }
        root, access = self._spec.root, "ro" if self._spec.read_only else "rw"
        return [
            *(f"{self.folder / name}:{place}:ro" for name, place in places.items()),
            f"{self._spec.opencode.resolve()}:/opt/bin/opencode:ro",
            f"{self._spec.model_socket}:/run/growqr/model.sock:ro",
            f"{root / 'ws'}:{WORKSPACE}:{access},nosuid,nodev",
            f"{root / 'home'}:{HOME}:rw,nosuid,nodev",
        ]

    def remove(self) -> None:
        remove_stage(self.folder)


def container_settings(
    spec: SandboxSpec, uid: int, stage: "ContainerStage", *, image: str, podman: bool
) -> dict[str, Any]:
    """Return what the engine is asked to make, but for the labels."""
    tools = max(32, spec.max_processes - _SERVER_PROCESSES)
    environment = {
        "HOME": HOME,
        "USER": "agent",
        "LANG": "C.UTF-8",
        "PATH": "/opt/bin:/usr/local/bin:/usr/bin:/bin",
        "XDG_CONFIG_HOME": "/opt/config",
        "GROWQR_TOOL_PROCESSES": str(tools),
        # an engine may pass its own on, and they may hold a password
        **{name: "" for base in _PROXIES for name in (base, base.upper())},
        **spec.environment,
    }
    # Podman opens the named file, Docker wants the rules themselves
    rules = str(stage.rules) if podman else seccomp_profile()
    return {
        "Image": image,
        "Entrypoint": ["/bin/bash", "/opt/growqr/container"],
        "Cmd": [str(SERVER_PORT), str(MODEL_PORT)],
        "User": f"{uid}:{uid}",
        "WorkingDir": WORKSPACE,
        "Hostname": "workspace",
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "AttachStdout": True,
        "AttachStderr": True,
        "StopTimeout": 0,
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", "label=disable", f"seccomp={rules}"],
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "PidsLimit": spec.max_processes,
            "CpuShares": _CPU_SHARES,
            **({"NanoCpus": int(spec.cpus * 1e9)} if spec.cpus else {}),
            "ShmSize": _SHM_BYTES,
            "Tmpfs": {
                "/tmp": f"rw,nosuid,nodev,size={_TMP_BYTES},mode=1777",  # noqa: S108
                # Podman would put one without a size there
                "/var/tmp": "ro,nosuid,nodev,size=4096,mode=0755",  # noqa: S108
            },
            "Binds": list(stage.binds),
            "Ulimits": [
                {"Name": name, "Soft": most, "Hard": most}
                for name, most in (
                    ("nofile", 4096),
                    ("nproc", spec.max_processes),
                    ("fsize", _FILE_BYTES),
                    ("core", 0),
                )
            ],
            "LogConfig": {"Type": "none"},
        },
    }
