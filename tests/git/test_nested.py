"""What Git takes for a repository is what we take for one."""

from pathlib import Path
from subprocess import CalledProcessError

import pytest

from growqr.git.nested import parts_of_repositories
from tests.git.samples import git

pytestmark = pytest.mark.anyio


def lay(folder: Path, *, ran: Path) -> None:
    """Make a repository, as files that a commit can hold, that runs something when asked."""
    config = f"""[core]
        repositoryformatversion = 0
        bare = false
        worktree = .
        fsmonitor = "touch {ran}; false"
    """
    contents = {
        "HEAD": "ref: refs/heads/main\n",
        "config": config,
        "objects/kept": "",
        "refs/kept": "",
        "mine.txt": "mine",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def below(folder: Path) -> list[str]:
    return [str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()]


async def test_a_repository_is_found_and_is_none_without_its_parts(tmp_path: Path) -> None:
    top, ran = tmp_path / "top", tmp_path / "ran"
    lay(top / "inner", ran=ran)
    parts = parts_of_repositories(below(top))
    assert parts == {f"inner/{name}" for name in ("HEAD", "config", "objects", "refs")}
    await git("status", cwd=top / "inner")
    assert ran.exists()  # this is what a clone must not hold
    ran.unlink()
    (top / "inner/HEAD").unlink()
    with pytest.raises(CalledProcessError) as refused:
        await git("status", cwd=top / "inner")
    assert "not a git repository" in refused.value.output
    assert parts_of_repositories(below(top)) == frozenset()
    assert not ran.exists()


async def test_a_repository_whose_rest_lies_elsewhere_is_found(tmp_path: Path) -> None:
    top, ran = tmp_path / "top", tmp_path / "ran"
    lay(top / "rest", ran=ran)
    (top / "rest/HEAD").unlink()
    (top / "inner").mkdir()
    (top / "inner/HEAD").write_text("ref: refs/heads/main\n")
    (top / "inner/commondir").write_text("../rest\n")
    assert parts_of_repositories(below(top)) == {"inner/HEAD", "inner/commondir"}
    assert await git("rev-parse", "--git-dir", cwd=top / "inner") == ".\n"


@pytest.mark.parametrize("head", ["head", "HEAD.", "HE\u200cAD", "Head::$DATA"])
def test_names_that_some_file_system_reads_as_git_does_count(head: str) -> None:
    paths = [f"a/{head}", "a/Objects/x", "a/refs /x"]
    assert parts_of_repositories(paths) == {f"a/{head}", "a/Objects", "a/refs "}


def test_other_folders_are_left_alone() -> None:
    paths = ["HEAD", "objects/x", "a/refs/x", "a/HEAD", "b/config", "b/hooks/x", "b/refs/x"]
    assert parts_of_repositories(paths) == frozenset()
