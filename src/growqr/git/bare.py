"""Making and removing bare repositories, whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

import pygit2

from growqr.git.building import build_tree, make_durable, sync_file, write_commit
from growqr.git.forge import PLATFORM, ForgeBroken, RepoRef
from growqr.git.layout import first_files
from growqr.git.locking import move_ref
from growqr.git.objects import closing
from growqr.git.signing import Sign

_CONFIG = {
    "http.receivepack": "true",
    "receive.denyNonFastForwards": "true",
    "receive.denyDeletes": "true",
    "receive.denyCurrentBranch": "ignore",
    # `growqr.git.maintenance` does it, after pushes too; `git gc` would race with it.
    "gc.auto": "0",
    "receive.autogc": "false",
    "core.hooksPath": os.devnull,
    "transfer.fsckObjects": "true",
    # Git only warns about these, and a file of such a name harms whoever checks it out.
    "receive.fsck.hasDot": "error",
    "receive.fsck.hasDotdot": "error",
    "receive.fsck.hasDotgit": "error",
    "receive.fsck.fullPathname": "error",
    "receive.fsck.nullSha1": "error",
}


def create_bare(
    path: Path,
    repo: RepoRef,
    *,
    executor: Executor,
    max_push_bytes: int,
    sign: Sign | None = None,
) -> None:
    """Make the repository with its first commit; does nothing if it exists. Blocks.

    Raises ForgeBroken.
    """
    _create(path, lambda aside: _fill(aside, repo, executor, max_push_bytes, sign))


def create_copy(path: Path) -> None:
    """Make an empty repository to fetch into; does nothing if it exists. Blocks.

    Raises ForgeBroken.
    """
    _create(path, _fill_copy)


def _create(path: Path, fill: Callable[[Path], None]) -> None:
    """Make it aside and move it into place, so that a half-made one is never seen; of several
    at once, the first to arrive stays.
    """
    if path.is_dir():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
        try:
            fill(aside)
            aside.rename(path)
            sync_file(path.parent)
        except OSError:
            if not path.is_dir():
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except (pygit2.GitError, OSError) as error:
        raise ForgeBroken("the repository can't be made") from error


def _fill_copy(folder: Path) -> None:
    with _initialised(folder) as git:
        git.config["gc.auto"] = "0"
        git.config["core.hooksPath"] = os.devnull
    shutil.rmtree(folder / "hooks", ignore_errors=True)


def first_commit(
    git: pygit2.Repository, repo: RepoRef, sign: Sign | None = None
) -> list[pygit2.Oid]:
    """Write the commit that every repository begins with; gives it and its objects. Blocks."""
    built = build_tree(git, None, first_files(repo))
    made = write_commit(git, PLATFORM, "init(repo): start", built.tree_id, [], sign)
    return [made, *built.objects]


def _fill(
    folder: Path, repo: RepoRef, executor: Executor, max_push_bytes: int, sign: Sign | None
) -> None:
    with _initialised(folder) as git:
        _configure(folder, git, max_push_bytes)
        made = first_commit(git, repo, sign)
        make_durable(git, made, executor)
        move_ref(git, "refs/heads/main", None, made[0])
    for name in ("config", "HEAD", ""):
        sync_file(folder / name)


def create_imported(path: Path, fill: Callable[[Path], None], *, max_push_bytes: int) -> None:
    """Make a repository whose objects and refs `fill` brings; does nothing if it exists. Blocks.

    Raises ForgeBroken, and what `fill` raises; then nothing is left behind.
    """

    def init_and_fill(folder: Path) -> None:
        with _initialised(folder) as git:
            _configure(folder, git, max_push_bytes)
        fill(folder)

    _create(path, init_and_fill)


def _initialised(folder: Path) -> AbstractContextManager[pygit2.Repository]:
    return closing(pygit2.init_repository(folder, bare=True, initial_head="main"))


def _configure(folder: Path, git: pygit2.Repository, max_push_bytes: int) -> None:
    for name, value in _CONFIG.items():
        git.config[name] = value
    git.config["receive.maxInputSize"] = str(max_push_bytes)
    shutil.rmtree(folder / "hooks", ignore_errors=True)


def remove_bare(path: Path) -> None:
    """Remove the repository at once; does nothing if it is gone. Blocks. Raises ForgeBroken."""
    try:
        gone = Path(tempfile.mkdtemp(prefix=".gone-", dir=path.parent))
        with contextlib.suppress(FileNotFoundError):
            path.rename(gone / path.name)
        shutil.rmtree(gone, ignore_errors=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ForgeBroken("the repository can't be removed") from error
