"""The system calls that nothing in a sandbox may make, for bubblewrap and for containers."""

import errno
import json
import os
from collections.abc import Sequence
from functools import cache

from growqr.opencode.types import SandboxUnavailable

_DENIED = (
    # looking into or steering other processes: the server and the relay share the sandbox
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    # parts of the kernel with a long history of holes and no use for building software
    *("add_key", "keyctl", "request_key", "bpf", "perf_event_open", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "kexec_load", "init_module"),
    *("finit_module", "delete_module", "open_by_handle_at", "name_to_handle_at"),
    # new mounts and namespaces
    *("mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("move_mount", "open_tree", "mount_setattr", "unshare", "setns"),
)
_ONLY_ROOT = (
    *("acct", "swapon", "swapoff", "reboot", "quotactl", "settimeofday", "clock_settime"),
    *("mknod", "syslog", "vhangup", "ioperm", "iopl", "sethostname", "setdomainname"),
)
_NAMESPACE_FLAGS = (0x10000000, 0x20000000, 0x40000000, 0x20000, 0x2000000, 0x4000000, 0x8000000)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_NETLINK, _AF_VSOCK = 16, 40


@cache
def seccomp_filter() -> bytes:
    """Return the BPF program; everything that is not denied is allowed.

    Raises:
        SandboxUnavailable: libseccomp is missing. Without the filter nothing is started.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise SandboxUnavailable(
            "The sandbox needs libseccomp: install it with `apt-get install libseccomp2`."
        ) from error
    program = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for name in _DENIED:
        try:
            program.add_rule(refuse, name)
        except (OSError, ValueError):  # a call that this architecture or libseccomp lacks
            continue
    for flag in _NAMESPACE_FLAGS:
        program.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    # clone3 hides its flags in memory; libc falls back to clone when it is absent
    program.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    for request in (_TIOCSTI, _TIOCLINUX):
        program.add_rule(
            refuse, "ioctl", pyseccomp.Arg(1, pyseccomp.MASKED_EQ, 0xFFFFFFFF, request)
        )
    for family in (_AF_NETLINK, _AF_VSOCK):
        program.add_rule(refuse, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
    with os.fdopen(os.memfd_create("seccomp"), "w+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def seccomp_profile() -> str:
    """Return the same rules as a container engine takes them: a profile in JSON.

    It must also refuse what only root could do: it takes the place of the engine's own profile.
    """
    refused: list[dict[str, object]] = [_entry([*_DENIED, *_ONLY_ROOT], errno.EPERM)]
    for flag in _NAMESPACE_FLAGS:
        refused.append(_entry(["clone"], errno.EPERM, (0, flag, flag, "SCMP_CMP_MASKED_EQ")))
    refused.append(_entry(["clone3"], errno.ENOSYS))
    for request in (_TIOCSTI, _TIOCLINUX):
        masked = (1, 0xFFFFFFFF, request, "SCMP_CMP_MASKED_EQ")
        refused.append(_entry(["ioctl"], errno.EPERM, masked))
    for family in (_AF_NETLINK, _AF_VSOCK):
        refused.append(_entry(["socket"], errno.EPERM, (0, family, 0, "SCMP_CMP_EQ")))
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": refused})


def _entry(
    names: Sequence[str], error: int, argument: tuple[int, int, int, str] | None = None
) -> dict[str, object]:
    entry: dict[str, object] = {
        "names": list(names),
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": error,
    }
    if argument is not None:
        fields = ("index", "value", "valueTwo", "op")
        entry["args"] = [dict(zip(fields, argument, strict=True))]
    return entry
