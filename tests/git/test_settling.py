"""A conflict that a person has decided, carried out on both forges."""

from typing import Literal

import pytest

from growqr.git.capabilities import SETTLE, PathForbidden
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import (
    Author,
    Change,
    CommitInfo,
    Forge,
    MergeConflict,
    Settlement,
)
from growqr.git.gitea.forge import GiteaForge
from growqr.git.signing import Signer
from growqr.git.verifying import verify_repository
from growqr.settings import GitSettings
from tests.git.samples import ANYONE, REPO, write

pytestmark = pytest.mark.anyio

JUDGE = Author("act_judge", "Judge", frozenset({SETTLE}))
TEXT = "".join(f"line {n}\n" for n in range(9)).encode()


@pytest.fixture
async def conflict(forge: Forge, commits: CommitService) -> MergeConflict:
    """Both changed line 0 of `a`; the agent also line 8, and `gone`, which the user removed."""
    await forge.create(REPO)
    read = await write(commits, {"a": TEXT, "gone": b"1\n"}, "read")
    theirs = TEXT.replace(b"line 0", b"the user")
    await write(commits, {"a": theirs, "gone": None}, "theirs")
    mine = TEXT.replace(b"line 0", b"the agent").replace(b"line 8", b"fits")
    with pytest.raises(MergeConflict) as caught:
        await commits.commit(
            REPO,
            actor=ANYONE,
            kind="write",
            scope="test",
            what="mine",
            changes=[Change("a", mine), Change("gone", b"2\n"), Change("new", b"also\n")],
            operation="mine",
            base=read.sha,
        )
    assert caught.value.paths == ("a", "gone")
    return caught.value


async def settle(
    commits: CommitService,
    conflict: MergeConflict,
    settlement: Settlement,
    operation: str = "settled",
    actor: Author = JUDGE,
) -> CommitInfo:
    assert conflict.kept is not None
    return await commits.settle(
        REPO, conflict.kept, settlement, actor=actor, what="decided", operation=operation
    )


async def head_of(forge: Forge) -> str:
    head = await forge.head(REPO)
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("prefer", "first_lines", "gone"),
    [
        ("target", b"the user\n", None),
        ("source", b"the agent\n", b"2\n"),
        ("both", b"the user\nthe agent\n", b"2\n"),
    ],
)
async def test_the_preferred_side_stands_and_what_fitted_is_kept(
    forge: Forge,
    commits: CommitService,
    conflict: MergeConflict,
    prefer: Literal["target", "source", "both"],
    first_lines: bytes,
    gone: bytes | None,
) -> None:
    head = await head_of(forge)
    settlement = Settlement(prefer=prefer, seen=head)
    made = await settle(commits, conflict, settlement)
    assert made.parents == (head, conflict.kept)
    assert made.subject == "settle(main): decided"
    wanted = TEXT.replace(b"line 0\n", first_lines).replace(b"line 8", b"fits")
    assert await forge.blob(REPO, "a") == wanted
    assert await forge.blob(REPO, "new") == b"also\n"
    names = {entry.path for entry in await forge.tree(REPO)}
    assert ("gone" in names) == (gone is not None)
    if gone is not None:
        assert await forge.blob(REPO, "gone") == gone
    assert await settle(commits, conflict, settlement) == made, "once"
    assert await settle(commits, conflict, settlement, "again") == made, "merged already"


async def test_the_users_own_words_stand(
    forge: Forge, commits: CommitService, conflict: MergeConflict
) -> None:
    settlement = Settlement("target", await head_of(forge), [Change("a", b"my words\n")])
    made = await settle(commits, conflict, settlement)
    assert await forge.blob(REPO, "a", ref=made.sha) == b"my words\n"


async def test_a_decision_does_not_count_for_what_nobody_saw(
    forge: Forge, commits: CommitService, conflict: MergeConflict
) -> None:
    seen = await head_of(forge)
    await write(commits, {"else": b"does not matter"}, "op-2")
    later = await write(commits, {"a": TEXT.replace(b"line 0", b"newer")}, "op-3")
    with pytest.raises(MergeConflict) as caught:
        await settle(commits, conflict, Settlement("source", seen))
    assert (caught.value.paths, caught.value.kept) == (("a",), conflict.kept)
    assert await forge.head(REPO) == later.sha
    assert (await settle(commits, conflict, Settlement("source", later.sha))).parents[
        0
    ] == later.sha


async def test_only_whom_it_is_given_to_settles_what_others_wrote(
    forge: Forge, commits: CommitService, conflict: MergeConflict
) -> None:
    settlement = Settlement("source", await head_of(forge))
    with pytest.raises(PathForbidden):
        await settle(
            commits, conflict, settlement, actor=Author("act_x", "X", frozenset({"git.commit:a"}))
        )
    own = Author("act_y", "Y", frozenset({"git.commit:a", "git.commit:gone", "git.commit:new"}))
    await settle(commits, conflict, settlement, actor=own)


async def test_another_process_settles_it(
    forge: Forge, another: Forge, conflict: MergeConflict, settings: GitSettings
) -> None:
    head = await another.head(REPO)
    assert head is not None
    other = CommitService(another, settings)
    made = await settle(other, conflict, Settlement("target", head))
    assert await forge.head(REPO) == made.sha


async def test_what_is_kept_is_signed_by_who_wrote_it(
    forge: EmbeddedForge | GiteaForge,
    commits: CommitService,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    signer = Signer(tmp_path_factory.mktemp("keys"))
    forge.sign = signer.sign
    await forge.create(REPO)
    base = await forge.head(REPO)
    await write(commits, {"a": b"1"}, "one")
    with pytest.raises(MergeConflict) as caught:
        await commits.commit(
            REPO,
            actor=ANYONE,
            kind="write",
            scope="test",
            what="two",
            changes=[Change("a", b"2")],
            operation="two",
            base=base,
        )
    await settle(commits, caught.value, Settlement("source", await head_of(forge)))
    report = verify_repository(forge.path(REPO.id), signer.known())
    assert report.counts == {"signed": 4}


async def test_what_a_writer_wrote_itself_counts_as_it_wrote_it(
    forge: Forge, commits: CommitService
) -> None:
    await forge.create(REPO)
    base = await head_of(forge)
    lines = {"a": TEXT, "progress": TEXT}
    steps = []
    for number in range(3):
        own = [Change(path, text) for path, text in lines.items()] if number else []
        lines = {
            path: text.replace(b"line %d" % number, b"step %d" % number)
            for path, text in lines.items()
        }
        steps.append((own, [Change(path, text) for path, text in lines.items()]))

    async def step(number: int) -> CommitInfo:
        own, changes = steps[number]
        return await commits.commit(
            REPO,
            actor=ANYONE,
            kind="write",
            scope="test",
            what=f"step {number}",
            changes=changes,
            operation=f"step-{number}",
            base=base,
            own=own,
        )

    await step(0)
    theirs = TEXT.replace(b"line 0", b"step 0").replace(b"line 8", b"the user")
    await write(commits, {"a": theirs}, "theirs")
    await step(1)
    assert await forge.blob(REPO, "a") == theirs.replace(b"line 1", b"step 1")
    await write(commits, {"a": theirs.replace(b"line 2", b"mine")}, "theirs-too")
    with pytest.raises(MergeConflict) as caught:
        await step(2)
    conflict, head = caught.value, await head_of(forge)
    assert conflict.paths == ("a",)
    assert conflict.kept is not None
    assert await forge.conflicts(REPO, source=conflict.kept, target=head, kept=True) == ("a",)
    await settle(commits, conflict, Settlement("target", head))
    settled = theirs.replace(b"line 2", b"mine")
    assert await forge.blob(REPO, "a") == settled
    assert await forge.blob(REPO, "progress") == lines["progress"]
