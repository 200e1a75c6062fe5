"""A disk that fills up under the embedded forge, in a file system of 3 MB of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import asyncio, os, subprocess, sys
from pathlib import Path
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Change, ForgeBroken
from growqr.settings import GitSettings
from tests.git.samples import PROJECT, REPO, write

async def main(disk):
    forge = EmbeddedForge(disk / "git", GitSettings())
    commits = CommitService(forge, GitSettings())
    await forge.create(REPO)
    filler = disk / "filler"
    filler.write_bytes(b"x" * 1_000_000)
    done = []
    for n in range(1000):
        try:
            made = await write(commits, {f"memory/{n}.bin": os.urandom(100_000)}, f"op-{n}")
        except ForgeBroken as error:
            assert error.retryable
            break
        done.append(made.sha)
    assert 3 < len(done) < 40, done
    try:
        await forge.create(PROJECT)
    except ForgeBroken:
        assert not forge.path(PROJECT.id).exists()
    assert await forge.head(REPO) == done[-1]
    filler.unlink()
    retried = await write(commits, {f"memory/{n}.bin": b"fits"}, f"op-{n}")
    assert retried.parents == (done[-1],)
    history = [commit.sha for commit in await forge.commits(REPO, limit=100)]
    assert history[:-1] == [retried.sha, *reversed(done)]
    subprocess.run(["git", "--git-dir", str(forge.path(REPO.id)), "fsck", "--strict",
                    "--no-dangling"], check=True, env={**os.environ, "GIT_CONFIG_COUNT": "1",
                    "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
    print("whole")

asyncio.run(main(Path(sys.argv[1])))
"""


def _may_mount() -> bool:
    probe = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(probe, check=False).returncode == 0


@pytest.mark.live
@pytest.mark.skipif(not _may_mount(), reason="needs a user namespace to mount a small disk in")
def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    shell = 'mount -t tmpfs -o size=3m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, "sh"),
            *(str(tmp_path), sys.executable, _SCRIPT),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.endswith("whole\n"), done.stdout + done.stderr
