"""The system calls that nothing in a sandbox may make, as a program for bubblewrap."""

import errno
import os
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
