"""Traps for Git that are laid in a workspace: on the way into a repository they do nothing."""

from pathlib import Path

import pytest

from growqr.agents.coding_files import FOLDER, outgoing
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Author
from growqr.opencode import ToolFinished, WorkspaceFile
from growqr.settings import GitSettings
from tests.git.samples import REPO, git
from tests.opencode.conftest import BOTH, Running, ask, spec

pytestmark = [pytest.mark.anyio, pytest.mark.live]

TRAPS = """set -e
git init -q .
git config core.fsmonitor "touch {ran}"
git config diff.external "touch {ran}"
git config filter.trap.clean "touch {ran}"
git config filter.trap.smudge "touch {ran}"
for hook in pre-commit post-commit post-checkout post-update reference-transaction; do
  printf '#!/bin/sh\\ntouch {ran}\\n' > .git/hooks/$hook; chmod +x .git/hooks/$hook
done
cp -r .git inner; git config -f inner/config core.worktree .
touch inner/objects/kept inner/refs/kept
mkdir sub; cp -r .git sub/.git
printf '*.txt filter=trap diff=trap\\n' > .gitattributes
printf '[submodule "sub"]\\n\\tpath = sub\\n\\turl = ext::touch {ran}\\n' > .gitmodules
cp -r .git .GIT; cp -r .git 'git~1'; mkdir nested; ln -s ../.git nested/.git
ln -s /etc/passwd passwd; ln -s .git/hooks hooks; ln .git/config hard
echo good > good.txt
"""
ALONE = {".gitattributes", "good.txt", "inner/description"}
"""What of it can be committed."""


@BOTH
async def test_git_traps_do_nothing_outside(running: Running, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    async with running() as workspaces:
        workspace = await workspaces.get(spec())
        await workspace.write_files([WorkspaceFile("lay.sh", TRAPS.format(ran=ran).encode())])
        progress = await ask(workspace, "run: mv lay.sh /tmp && bash /tmp/lay.sh")
        laid = next(item for item in progress if isinstance(item, ToolFinished))
        assert laid.exit_code == 0, laid.output
        snapshot = await workspace.snapshot()
    assert {"passwd", "hooks", "hard", "nested/.git"} <= snapshot.skipped.keys()

    settings = GitSettings()
    forge = EmbeddedForge(tmp_path / "git", settings)
    try:
        await forge.create(REPO)
        out = outgoing(snapshot.files, known={}, unread=snapshot.skipped)
        await CommitService(forge, settings).commit(
            REPO,
            actor=Author("act_1", "coding", frozenset({f"git.commit:{FOLDER}/**"})),
            kind="task",
            scope="coding",
            what="Lay traps",
            changes=out.changes,
            operation="task:1",
        )
        tree = await forge.tree(REPO, recursive=True)
        [bare] = {head.parent for head in forge.folder.rglob("HEAD")}
    finally:
        forge.close()
    ours = [entry for entry in tree if entry.path.startswith(f"{FOLDER}/")]
    files = {entry.path.removeprefix(f"{FOLDER}/") for entry in ours}
    assert files == ALONE
    assert {entry.type for entry in tree} == {"file"}  # no link, no submodule
    assert {".gitmodules", "inner/HEAD", "inner/config", "inner/hooks"} <= out.refused.keys()
    assert any(name.startswith(".GIT/") for name in out.refused)
    assert any(name.startswith("git~1/") for name in out.refused)

    clone = tmp_path / "clone"
    await git("clone", "-q", "--recurse-submodules", str(bare), str(clone))
    await git("status", cwd=clone)
    await git("status", cwd=clone / FOLDER / "inner")
    await git("submodule", "update", "--init", cwd=clone)
    assert not ran.exists()
