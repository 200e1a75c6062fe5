"""Where the programs are that a workspace needs."""

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from growqr.opencode.types import SandboxUnavailable
from growqr.settings import SandboxSettings


def find_opencode(settings: SandboxSettings | None = None) -> Path:
    """Return OpenCode's executable: the one in settings, or the one that npm installed.

    Raises:
        SandboxUnavailable: there is none; the detail says how to get it.
    """
    if settings and settings.opencode:
        if settings.opencode.is_file():
            return settings.opencode.resolve()
        raise SandboxUnavailable(
            f"GROWQR_SANDBOX__OPENCODE names `{settings.opencode}`, which is not a file."
        )
    for folder in _node_modules():
        for package in _packages():
            binary = folder / package / "bin" / "opencode"
            if binary.is_file():
                return binary.resolve()
    raise SandboxUnavailable("OpenCode is not installed: run `npm ci` in the project's folder.")


def find_program(name: str, package: str) -> Path:
    """Return a system program, resolved.

    Raises:
        SandboxUnavailable: it is missing; the detail names the Debian package.
    """
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin") or shutil.which(name)
    if not found:
        raise SandboxUnavailable(
            f"The sandbox needs `{name}`: install it with `apt-get install {package}`."
        )
    return Path(found).resolve()


def _node_modules() -> Iterator[Path]:
    for start in (Path(__file__).resolve().parent, Path.cwd()):
        for folder in (start, *start.parents):
            yield folder / "node_modules"


def _packages() -> list[str]:
    machine = platform.machine()
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(machine, machine)
    plain, baseline = f"opencode-linux-{arch}", f"opencode-linux-{arch}-baseline"
    if arch == "x64" and not _has_avx2():
        return [baseline]
    return [plain, baseline]


def _has_avx2() -> bool:
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
