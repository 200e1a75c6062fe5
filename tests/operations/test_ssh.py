"""Deploy keys of the embedded forge, with a real OpenSSH server."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from growqr.db.engine import Database
from growqr.git.deploy_keys import DeployKeys
from growqr.git.forge import RepoRef
from growqr.git.ssh import SshRefused, authorized_lines, command_for
from growqr.operations.restore import restore_all
from growqr.operations.ssh import NeedsEmbedded, lines
from growqr.operations.stores import open_stores
from growqr.settings import GitSettings, Settings
from tests.operations.conftest import Installation

pytestmark = pytest.mark.anyio

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_sshd = pytest.mark.skipif(
    not (SSHD and shutil.which("ssh-keygen")) or os.getuid() != 0,
    reason="needs OpenSSH's server, and root to run it",
)
REPO, TOOL = RepoRef("rep_ada", "usr_ada", "grow"), RepoRef("rep_ada2", "usr_ada", "tool")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


async def add_key(installation: Installation, repo: RepoRef, key: str, *, read_only: bool) -> None:
    async with open_stores(installation.settings) as stores:
        keys = DeployKeys(stores.db, stores.forge)
        await keys.add(repo, title="ci", public_key=key, read_only=read_only)


@pytest.fixture
async def home(installation: Installation) -> Installation:
    await installation.add_person("ada")
    await installation.add_person("bob")
    async with open_stores(installation.settings) as stores:
        await restore_all(stores)
    return installation


async def test_a_key_opens_its_own_repositories_only(home: Installation) -> None:
    await add_key(home, REPO, KEY, read_only=True)
    await add_key(home, TOOL, KEY, read_only=False)
    folder = home.settings.data_dir / "git"
    async with database(home.settings) as db:
        (line,) = await authorized_lines(db, "/bin/growqr git")
        assert await authorized_lines(db, "growqr", "ssh-ed25519 other") == []
        assert line.startswith("restrict,command=\"'/bin/growqr git' ssh-serve ")
        assert line.endswith(KEY)
        mark = line.split('"')[1].split()[-1]
        read = await command_for(
            db, folder, mark, "git-upload-pack '/rep_ada/grow.git'", "version=2"
        )
        assert read.arguments[1:] == ["upload-pack", str(folder / "rep_ada.git")]
        assert read.environment["GIT_PROTOCOL"] == "version=2"
        await command_for(db, folder, mark, "git-receive-pack 'rep_ada2/tool.git'")
        for refused in (
            "git-receive-pack '/rep_ada/grow.git'",
            "git-upload-pack '/rep_bob/grow.git'",
            "git-upload-pack '/rep_none/grow.git'",
            "git-upload-pack '/../rep_ada/grow.git'",
            "git-upload-archive '/rep_ada/grow.git'",
            "git-upload-pack --x '/rep_ada/grow.git'",
            "sh -c id",
            "git-upload-pack '",
            "",
        ):
            with pytest.raises(SshRefused):
                await command_for(db, folder, mark, refused)
        with pytest.raises(SshRefused):
            await command_for(db, folder, "0" * 32, "git-upload-pack '/rep_ada/grow.git'")


async def test_gitea_has_an_ssh_server_of_its_own(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        git=GitSettings(
            provider="gitea", gitea_url="http://127.0.0.1:1", gitea_token=SecretStr("x")
        ),
    )
    with pytest.raises(NeedsEmbedded):
        await lines(settings, "growqr", None)


@pytest.mark.live
@needs_sshd
async def test_clone_and_push_through_sshd(home: Installation, tmp_path: Path) -> None:
    await asyncio.to_thread(make_keys, tmp_path)
    key = " ".join((tmp_path / "deploy.pub").read_text().split()[:2])
    await add_key(home, REPO, key, read_only=True)
    await add_key(home, TOOL, key, read_only=False)
    await asyncio.to_thread(clone_and_push, home.settings.data_dir, tmp_path)
    with home.forge() as forge:
        assert (await forge.commits(TOOL))[0].subject == "By ci"


def make_keys(folder: Path) -> None:
    for name in ("host", "deploy", "stranger"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True)


def clone_and_push(data: Path, folder: Path) -> None:
    program = folder / "growqr-git"
    growqr = f"exec {sys.executable} -m growqr.cli"
    program.write_text(f'#!/bin/sh\nexport GROWQR_DATA_DIR={data}\n{growqr} "$@"\n')
    program.chmod(0o755)
    listed = subprocess.run([program, "ssh-keys", "--program", program], capture_output=True)
    (folder / "authorized").write_bytes(listed.stdout)
    with sshd(folder) as port:

        def git(*arguments: str, key: str = "deploy") -> subprocess.CompletedProcess[str]:
            ssh = f"ssh -F none -i {folder / key} -o IdentitiesOnly=yes -o BatchMode=yes"
            ssh += f" -o StrictHostKeyChecking=no -o UserKnownHostsFile={folder / 'known'}"
            environment = {**os.environ, "GIT_SSH_COMMAND": ssh, "SSH_AUTH_SOCK": ""}
            for who in ("AUTHOR", "COMMITTER"):
                environment |= {f"GIT_{who}_NAME": "Ci", f"GIT_{who}_EMAIL": "ci@example.com"}
            return subprocess.run(
                ["git", *arguments], capture_output=True, text=True, env=environment, cwd=folder
            )

        at = f"ssh://root@127.0.0.1:{port}"
        cloned = git("clone", "-q", f"{at}/rep_ada/grow.git", "grow")
        assert cloned.returncode == 0, cloned.stderr
        assert (folder / "grow/state/snapshot.json").is_file()
        assert git("-C", "grow", "commit", "--allow-empty", "-qm", "x").returncode == 0
        assert "may read, not push" in git("-C", "grow", "push").stderr
        assert "does not open it" in git("clone", f"{at}/rep_bob/grow.git", "bob").stderr
        assert "denied" in git("clone", f"{at}/rep_ada/grow.git", "no", key="stranger").stderr

        git("clone", "-q", f"{at}/rep_ada2/tool.git", "tool")
        git("-C", "tool", "commit", "--allow-empty", "-qm", "By ci")
        pushed = git("-C", "tool", "push")
        assert pushed.returncode == 0, pushed.stderr


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Database]:
    db = Database(settings.db_url)
    try:
        yield db
    finally:
        await db.aclose()


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """OpenSSH's server on a free port of 127.0.0.1, which it gives."""
    Path("/run/sshd").mkdir(exist_ok=True)  # it will not start without
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "AcceptEnv": "GIT_PROTOCOL",
    }
    (folder / "sshd_config").write_text("".join(f"{n} {v}\n" for n, v in options.items()))
    assert SSHD is not None
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        said = server.stderr.readline()
        assert "Server listening" in said, said
        yield port
    finally:
        server.terminate()
        server.communicate()
