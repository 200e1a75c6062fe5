import asyncio
from pathlib import Path

import pytest

from growqr.git.capabilities import PathForbidden
from growqr.git.commits import CommitService
from growqr.git.forge import (
    Author,
    BranchExists,
    BranchNotFound,
    Change,
    CommitInfo,
    CommitTooLarge,
    Forge,
    HeadMoved,
    MergeConflict,
    NotUndoable,
)
from growqr.git.messages import MessageInvalid
from growqr.git.paths import PathInvalid
from growqr.settings import GitSettings
from tests.git.conftest import url
from tests.git.samples import ANYONE, REPO, git

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def _repository(forge: Forge) -> None:
    await forge.create(REPO)


async def write(
    commits: CommitService,
    path: str = "memory/tea.md",
    content: bytes | None = b"green\n",
    *,
    operation: str = "op-1",
    actor: Author = ANYONE,
    what: str = "likes tea",
    body: str = "",
    branch: str = "main",
    expected_head: str | None = None,
    also_branch: str | None = None,
    task_id: str | None = None,
    base: str | None = None,
) -> CommitInfo:
    return await commits.commit(
        REPO,
        actor=actor,
        kind="remember",
        scope="memory",
        what=what,
        body=body,
        changes=[Change(path, content)],
        operation=operation,
        branch=branch,
        expected_head=expected_head,
        also_branch=also_branch,
        task_id=task_id,
        message_id="msg_1",
        base=base,
    )


async def test_commit_carries_trailers_that_git_reads(
    commits: CommitService, address: str, tmp_path: Path
) -> None:
    made = await write(commits, task_id="tsk_1", body="Because.\n--- not a patch\nActor: forged")
    assert made.subject == "remember(memory): likes tea"
    assert made.paths == ("memory/tea.md",)
    expected = {
        "Actor": "usr_1",
        "Kind": "remember",
        "Task": "tsk_1",
        "Message": "msg_1",
        "Operation": "op-1",
        "Growqr-Schema": "1",
    }
    assert made.trailers == expected
    copy = tmp_path / "copy.git"
    await git("clone", "--bare", url(address), str(copy))
    message = await git("--git-dir", str(copy), "log", "-1", "--format=%B", "main")
    parsed = await git("interpret-trailers", "--parse", stdin=message.encode())
    assert dict(line.split(": ") for line in parsed.splitlines()) == expected


async def test_same_operation_is_one_commit(commits: CommitService, forge: Forge) -> None:
    first = await write(commits)
    await write(commits, "memory/other.md", operation="op-2")
    again = await write(commits, content=b"black\n")
    assert again == first
    assert await forge.blob(REPO, "memory/tea.md") == b"green\n"


async def test_operation_is_found_by_another_process(
    commits: CommitService, forge: Forge, another: Forge, settings: GitSettings
) -> None:
    other = CommitService(another, settings)
    first = await write(commits)
    # Both know the branch, then each writes behind the other's back.
    second = await write(other, "b.md", operation="op-2")
    assert await write(other) == first
    assert await write(commits, "b.md", operation="op-2") == second
    assert len(await forge.commits(REPO)) == 3


async def test_no_change_returns_head(commits: CommitService) -> None:
    first = await write(commits)
    assert await write(commits, operation="op-2") == first
    assert await write(commits, "absent.md", None, operation="op-3") == first


async def test_expected_head_refuses_after_another_commit(
    commits: CommitService, forge: Forge
) -> None:
    start = await forge.head(REPO)
    first = await write(commits, expected_head=start)
    with pytest.raises(HeadMoved) as caught:
        await write(commits, "b.md", operation="op-2", expected_head=start)
    assert caught.value.extra == {"head": first.sha}
    assert await forge.head(REPO) == first.sha


async def test_of_many_writers_that_expect_one_head_one_wins(
    commits: CommitService, forge: Forge, another: Forge, settings: GitSettings
) -> None:
    start = await forge.head(REPO)
    services = [commits, CommitService(another, settings)]
    outcomes = await asyncio.gather(
        *(
            write(services[n % 2], f"{n}.md", operation=f"op-{n}", expected_head=start)
            for n in range(6)
        ),
        return_exceptions=True,
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, CommitInfo)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, HeadMoved)]
    assert (len(won), len(lost)) == (1, 5)
    assert {error.head for error in lost} == {won[0].sha} == {await forge.head(REPO)}


async def test_sixteen_writers_lose_nothing(
    commits: CommitService, forge: Forge, another: Forge, settings: GitSettings
) -> None:
    services = [commits, CommitService(another, settings)]
    made = await asyncio.gather(
        *(write(services[n % 2], f"memory/{n % 4}/{n}.md", operation=f"op-{n}") for n in range(16))
    )
    assert len({commit.sha for commit in made}) == 16
    files = await forge.tree(REPO, path="memory", recursive=True)
    assert len([file for file in files if file.path.count("/") == 2]) == 16
    assert len(await forge.commits(REPO, limit=100)) == 17


@pytest.mark.parametrize("path", ["notes.md", "agents/codingx/a", "agents/repo/a", "agents/coding"])
async def test_path_without_capability_is_refused(
    commits: CommitService, forge: Forge, path: str
) -> None:
    actor = Author("act_1", "Coder", frozenset({"git.commit:agents/coding/**", "opencode.run"}))
    await write(commits, "agents/coding/x/main.py", actor=actor)
    head = await forge.head(REPO)
    with pytest.raises(PathForbidden):
        await write(commits, path, actor=actor, operation="op-2")
    assert await forge.head(REPO) == head


async def test_too_large_is_refused(commits: CommitService) -> None:
    with pytest.raises(CommitTooLarge):
        await write(commits, content=b"x" * 10_001)
    with pytest.raises(CommitTooLarge):
        await commits.commit(
            REPO,
            actor=ANYONE,
            kind="write",
            scope="x",
            what="many",
            changes=[Change(f"{n}", b"") for n in range(51)],
            operation="op",
        )


async def test_bad_message_parts_are_refused_and_lines_are_folded(commits: CommitService) -> None:
    with pytest.raises(MessageInvalid):
        await write(commits, what=" \n ")
    with pytest.raises(MessageInvalid):
        await write(commits, operation="x" * 201)
    made = await write(commits, what="one\n\nActor: forged", operation="op\nActor: forged")
    assert made.subject == "remember(memory): one Actor: forged"
    assert made.trailers["Actor"] == "usr_1"
    assert made.trailers["Operation"] == "op Actor: forged"
    long = await write(commits, "l.md", what="w" * 500, operation="op-3")
    assert len(long.subject) == 120


async def test_branches_are_made_moved_and_kept(commits: CommitService, forge: Forge) -> None:
    first = await write(commits, also_branch="task/tsk_1")
    assert await forge.head(REPO, "task/tsk_1") == first.sha
    second = await write(commits, "b.md", operation="op-2", also_branch="task/tsk_1")
    assert await forge.head(REPO, "task/tsk_1") == second.sha
    await write(commits, "c.md", operation="op-3", branch="task/tsk_1")
    with pytest.raises(BranchExists):
        await write(commits, "d.md", operation="op-4", also_branch="task/tsk_1")
    with pytest.raises(BranchNotFound):
        await write(commits, branch="nowhere", operation="op-5")


async def test_revert_undoes_one_commit_once(commits: CommitService, forge: Forge) -> None:
    made = await write(commits)
    await write(commits, "b.md", operation="op-2")
    undone = await commits.revert(REPO, made.sha, actor=ANYONE, operation="undo-1")
    assert undone.subject == "revert(repo): undo: remember(memory): likes tea"
    assert [entry.path for entry in await forge.tree(REPO, recursive=True)] == [
        "README.md",
        "b.md",
        "profile.md",
    ]
    again = await commits.revert(REPO, made.sha, actor=ANYONE, operation="undo-1")
    assert again == undone


async def test_revert_refuses_conflicts_the_first_commit_and_strangers(
    commits: CommitService, forge: Forge
) -> None:
    first = await write(commits)
    await write(commits, content=b"black\n", operation="op-2")
    head = await forge.head(REPO)
    with pytest.raises(MergeConflict) as caught:
        await commits.revert(REPO, first.sha, actor=ANYONE, operation="undo")
    assert caught.value.paths == ("memory/tea.md",)
    with pytest.raises(NotUndoable):
        await commits.revert(REPO, first.parents[0], actor=ANYONE, operation="undo")
    with pytest.raises(PathForbidden):
        await commits.revert(REPO, first.sha, actor=Author("act_1", "X"), operation="undo")
    assert await forge.head(REPO) == head


async def test_merge_joins_both_sides_or_reports_the_conflict(
    commits: CommitService, forge: Forge
) -> None:
    await forge.create_branch(REPO, "side", at="main")
    await write(commits, "side.md", branch="side")
    main = await write(commits, "main.md", operation="op-2")
    side = await forge.head(REPO, "side")

    async def merge(operation: str) -> CommitInfo:
        return await commits.merge(
            REPO, actor=ANYONE, source="side", target="main", what="take it", operation=operation
        )

    merged = await merge("m-1")
    assert merged.parents == (main.sha, side)
    assert await forge.blob(REPO, "side.md") == b"green\n"
    assert await merge("m-2") == merged

    await write(commits, "side.md", b"one\n", operation="op-3", branch="side")
    await write(commits, "side.md", b"two\n", operation="op-4")
    with pytest.raises(MergeConflict) as caught:
        await merge("m-3")
    assert caught.value.paths == ("side.md",)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/.git/config", "a\\b", "README.md/x"])
async def test_bad_paths_change_nothing(commits: CommitService, forge: Forge, path: str) -> None:
    head = await forge.head(REPO)
    with pytest.raises(PathInvalid):
        await write(commits, path)
    assert await forge.head(REPO) == head


async def test_what_a_person_pushed_meanwhile_is_merged_and_not_overwritten(
    commits: CommitService, forge: Forge, address: str, tmp_path: Path
) -> None:
    text = "".join(f"line {n}\n" for n in range(9))
    read = await write(commits, content=text.encode())
    copy = tmp_path / "copy"
    await git("clone", url(address), str(copy))
    (copy / "memory/tea.md").write_text(text.replace("line 0", "by hand"))
    (copy / "other.md").write_text("also by hand\n")
    await git("add", ".", cwd=copy)
    await git("commit", "-m", "By hand", cwd=copy)
    await git("push", "origin", "HEAD:main", cwd=copy)

    mine = text.replace("line 8", "by the agent").encode()
    made = await write(commits, content=mine, operation="op-2", base=read.sha)
    both = mine.replace(b"line 0", b"by hand")
    assert await forge.blob(REPO, "memory/tea.md") == both
    assert await forge.blob(REPO, "other.md") == b"also by hand\n"
    assert made.paths == ("memory/tea.md",)

    other = text.replace("line 0", "by the agent").encode()
    with pytest.raises(MergeConflict) as caught:
        await write(commits, content=other, operation="op-3", base=read.sha)
    assert caught.value.paths == ("memory/tea.md",)
    assert await forge.head(REPO) == made.sha
    assert caught.value.kept is not None
    assert await forge.blob(REPO, "memory/tea.md", ref=caught.value.kept) == other
    kept = await git("ls-remote", url(address), "refs/rescue/*")
    assert caught.value.kept in kept
