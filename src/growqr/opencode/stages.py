"""Short-named folders on the host that hold a running sandbox's sockets and mount places."""

import socket
import tempfile
from pathlib import Path

_PREFIX = "growqr-"


def make_stage() -> Path:
    """Make a folder that others may pass through, not list.

    A Unix socket's path has at most 108 bytes, and the data folder's may be longer.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o711)
    return folder


def remove_stage(folder: Path) -> None:
    """Remove a stage folder, never what was mounted on it: only empty folders go."""
    if not folder.name.startswith(_PREFIX) or folder.is_symlink() or not folder.is_dir():
        return
    for entry in list(folder.iterdir()):
        try:
            entry.rmdir() if entry.is_dir() else entry.unlink()
        except OSError:
            continue
    try:
        folder.rmdir()
    except OSError:
        return


def listen(path: Path) -> socket.socket:
    """Return a listening socket that only this process's user can connect to."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(128)
    listening.setblocking(False)
    return listening
