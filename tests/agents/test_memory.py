from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pygit2
import pytest

from growqr.agents import front_matter
from growqr.agents.goals import Goal, GoalNotFound, GoalStatusInvalid
from growqr.agents.memory import CONTEXT_CHARS, Memory
from growqr.agents.memory_drafts import MemoryNotFound, MemoryTooLarge
from growqr.agents.memory_past import MomentInvalid, TooEarly, moment
from growqr.agents.memory_paths import normalise
from growqr.agents.search_words import words
from growqr.git.building import build_tree
from growqr.git.capabilities import PathForbidden
from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Author, Change, CommitInfo, MergeConflict, RepoRef
from growqr.git.layout import SNAPSHOT
from growqr.git.paths import PathInvalid
from growqr.settings import GitSettings
from tests.support.drafting import drafted

pytestmark = pytest.mark.anyio

REPO = RepoRef("rep_1", "usr_1", "grow")
GROW = Author("act_1", "Grow", frozenset({"git.commit:**"}))


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[EmbeddedForge]:
    forge = EmbeddedForge(tmp_path, GitSettings())
    yield forge
    forge.close()


@pytest.fixture
async def memory(forge: EmbeddedForge) -> Memory:
    await forge.create(REPO)
    return Memory(forge, CommitService(forge, GitSettings()))


async def remember(
    memory: Memory,
    path: str,
    content: str,
    *,
    operation: str = "",
    reason: str = "you said so",
    author: Author = GROW,
) -> CommitInfo:
    _, made = await drafted(
        memory,
        REPO,
        author,
        lambda draft: draft.remember(path, content, reason),
        operation or f"op:{path}",
    )
    return made


async def forget(memory: Memory, path: str, operation: str) -> CommitInfo:
    _, made = await drafted(
        memory, REPO, GROW, lambda draft: draft.forget(path, "asked to"), operation
    )
    return made


async def test_remember_writes_markdown_that_says_why(memory: Memory, forge: EmbeddedForge) -> None:
    made = await remember(memory, "drinks/tea", "# Tea\n\nGreen, no sugar.")
    assert made.paths == ("memory/drinks/tea.md",)
    assert made.subject == "remember(memory): Tea"
    assert made.trailers["Message"] == "msg_1"
    text = (await forge.blob(REPO, "memory/drinks/tea.md")).decode()
    meta, body = front_matter.split(text)
    assert body == "# Tea\n\nGreen, no sugar.\n"
    assert meta["reason"] == "you said so"
    assert meta["source"] == "msg_1"
    document = await memory.read(REPO, "drinks/tea")
    assert (document.title, document.body) == ("Tea", body)


async def test_remembering_again_keeps_what_people_added_and_repeats_nothing(
    memory: Memory, forge: EmbeddedForge
) -> None:
    first = await remember(memory, "tea", "---\nmood: calm\n---\nGreen.", operation="one")
    assert await remember(memory, "tea", "Green.", operation="two") == first
    assert await remember(memory, "tea", "Other.", operation="one") == first
    await remember(memory, "tea", "Black.", operation="three", reason="changed: my mind")
    document = await memory.read(REPO, "memory/tea.md")
    assert document.body == "Black.\n"
    assert document.meta["mood"] == "calm"
    assert document.meta["reason"] == "changed: my mind"


async def test_forget_deletes_and_refuses_what_is_unknown(memory: Memory) -> None:
    await remember(memory, "tea", "Green.")
    gone = await forget(memory, "tea", "op-2")
    with pytest.raises(MemoryNotFound):
        await memory.read(REPO, "tea")
    with pytest.raises(MemoryNotFound):
        await forget(memory, "tea", "op-3")
    await memory.revert(REPO, GROW, gone.sha, "op-4")
    assert (await memory.read(REPO, "tea")).body == "Green.\n"


async def test_search_ranks_and_follows_the_head(memory: Memory) -> None:
    await remember(memory, "tea", "# Tea\n\nLikes green tea in the morning.")
    await remember(memory, "coffee", "Coffee is fine, though tea is better after noon.")
    await remember(memory, "cats", "Has two cats, Ada and Bob.")
    hits = await memory.search(REPO, "what do you know about tea?")
    assert [hit.path for hit in hits] == ["memory/tea.md", "memory/coffee.md"]
    assert "green tea" in hits[0].snippet
    assert [hit.title for hit in await memory.search(REPO, "CAT")] == ["cats"]
    assert await memory.search(REPO, "zebra") == []
    await remember(memory, "cats", "Has one dog.", operation="op-2")
    assert await memory.search(REPO, "Bob") == []
    assert [hit.path for hit in await memory.search(REPO, "dogs", 1)] == ["memory/cats.md"]


async def test_following_the_head_is_the_same_as_reading_all_of_it(
    memory: Memory, forge: EmbeddedForge
) -> None:
    commits = CommitService(forge, GitSettings())
    steps: list[dict[str, bytes | None]] = [
        {"memory/a.md": b"ant", "memory/b/c.md": b"bee", "x.bin": b"\0"},
        {"memory/a.md": b"wasp", "memory/b/c.md": None},
        {"memory/a.md": None, "memory/a/d.md": b"fly"},
        {"memory/a/d.md": None, "memory/a": b"no Markdown"},
        {"memory/a": None, "memory/e.MD": b"moth"},
        {"profile.md": None},
    ]
    for number, step in enumerate(steps):
        changes = [Change(path, content) for path, content in step.items()]
        await commits.commit(
            REPO,
            actor=GROW,
            kind="write",
            scope="test",
            what=str(number),
            changes=changes,
            operation=f"op-{number}",
        )
        anew = Memory(forge, commits)
        assert await memory.files(REPO) == await anew.files(REPO)
        assert await memory.search(REPO, "wasp fly moth") == await anew.search(
            REPO, "wasp fly moth"
        )


async def test_search_survives_what_people_push(memory: Memory, forge: EmbeddedForge) -> None:
    odd = {
        "memory/binary.md": b"\xff\xfe\x00 walrus",
        "memory/broken.md": b"---\n: [\n---\nwalrus",
        "memory/list.md": b"---\n- a\n---\nwalrus",
        "memory/date.md": b"---\ncreated: 2026-01-31\ntitle: 7\n---\nwalrus",
        "memory/huge.md": b"walrus " * 40_000,
    }
    await CommitService(forge, GitSettings()).commit(
        REPO,
        actor=GROW,
        kind="push",
        scope="test",
        what="odd files",
        changes=[Change(path, data) for path, data in odd.items()],
        operation="odd",
    )
    found = {hit.path for hit in await memory.search(REPO, "walrus")}
    assert found == set(odd) - {"memory/huge.md"}
    assert (await memory.read(REPO, "memory/huge.md")).body.startswith("walrus")
    assert (await memory.read(REPO, "memory/date.md")).meta["created"] == "2026-01-31"


@pytest.mark.parametrize(
    ("header", "meta"),
    [
        ("log:\n  2026-01-31: begun\n", {"log": {"2026-01-31": "begun"}}),
        ('title: "\\ud800 tea"\n', {"title": "? tea"}),
        ("n: 0x" + "f" * 5000 + "\n", {"n": "0x" + "f" * 5000}),
        ("tags: !!set {a}\n", {"tags": ["a"]}),
        ("a: &a [*a]\n", {}),
        ("a: &a {x: 1}\nb: {<<: *a}\n", {}),
        ("a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9)), {}),
        ("a: " + "[" * 200 + "]" * 200 + "\n", {}),
        *((f"a: !!{kind} ''\n", {}) for kind in ("int", "float", "bool", "timestamp")),
    ],
)
async def test_front_matter_of_any_kind_leaves_memory_at_work(
    memory: Memory, forge: EmbeddedForge, header: str, meta: dict[str, object]
) -> None:
    change = Change("memory/odd.md", f"---\n{header}---\nwalrus\n".encode())
    await CommitService(forge, GitSettings()).commit(
        REPO,
        actor=GROW,
        kind="push",
        scope="test",
        what="odd front matter",
        changes=[change],
        operation="odd",
    )
    assert [hit.path for hit in await memory.search(REPO, "walrus")] == ["memory/odd.md"]
    document = await memory.read(REPO, "memory/odd.md")
    assert document.meta == meta
    assert document.body.endswith("walrus\n")
    assert "memory/odd.md" in (await memory.context(REPO)).text


async def test_goals_are_set_once_and_updated(memory: Memory) -> None:
    async def set_goal() -> tuple[Goal, CommitInfo]:
        return await drafted(
            memory,
            REPO,
            GROW,
            lambda draft: draft.set_goal("Run 10 km", "Health.", "2026-12-31", "op-1"),
            "op-1",
        )

    async def update(goal_id: str, status: str) -> Goal:
        goal, _ = await drafted(
            memory, REPO, GROW, lambda draft: draft.update_goal(goal_id, status), f"op-{status}"
        )
        return goal

    goal, made = await set_goal()
    again, same = await set_goal()
    assert (again, same.sha) == (goal, made.sha)
    assert made.paths == (f"goals/{goal.id}.md",)
    assert await memory.goals(REPO) == [goal]
    assert goal.id in (await memory.context(REPO)).text
    done = await update(goal.id, "Completed")
    assert done.status == "done"
    assert await memory.goals(REPO) == [done]
    assert await memory.goals(REPO, "open") == []
    assert goal.id not in (await memory.context(REPO)).text
    with pytest.raises(GoalNotFound):
        await update("nope", "done")
    with pytest.raises(GoalStatusInvalid):
        await update(goal.id, "blue")


async def test_changes_that_belong_together_are_one_commit(
    memory: Memory, forge: EmbeddedForge
) -> None:
    before = await remember(memory, "tea", "Green.")
    draft = memory.draft(REPO, GROW, before.sha, "msg_2")
    await draft.remember("coffee", "# Coffee\n\nBlack.", "said so")
    await draft.remember("coffee", "# Coffee\n\nWith milk.", "changed: my mind")
    goal = await draft.set_goal("Sleep", "Health.", None, "op")
    await draft.update_goal(goal.id, "done")
    await draft.forget("tea", "wrong")
    with pytest.raises(MemoryNotFound):
        await draft.forget("tea", "again")
    made = await memory.commit(draft, draft.writes, "turn")
    assert made.parents == (before.sha,)
    assert made.paths == (f"goals/{goal.id}.md", "memory/coffee.md", "memory/tea.md")
    assert made.subject == "memory(life): Coffee, Coffee, Sleep and 2 more"
    assert "- remember(memory): Coffee: changed: my mind" in made.body
    assert (made.trailers["Kind"], made.trailers["Message"]) == ("memory", "msg_2")
    assert (await memory.read(REPO, "coffee")).body == "# Coffee\n\nWith milk.\n"
    assert [(g.id, g.status) for g in await memory.goals(REPO)] == [(goal.id, "done")]
    assert await memory.commit(draft, draft.writes, "turn") == made


async def test_what_the_user_wrote_meanwhile_is_merged_or_a_conflict(
    memory: Memory, forge: EmbeddedForge
) -> None:
    before = await remember(memory, "tea", "Green.")
    text = (await forge.blob(REPO, "memory/tea.md")).replace(b"Green.", b"Oolong.")
    draft = memory.draft(REPO, GROW, before.sha)
    await draft.remember("coffee", "Black.", "said so")
    await commit_later(forge, "memory/tea.md", text, before.at)
    await memory.commit(draft, draft.writes, "op-1")
    assert (await memory.read(REPO, "tea")).body == "Oolong.\n"
    late = memory.draft(REPO, GROW, before.sha)
    await late.remember("tea", "Black.", "said so")
    with pytest.raises(MergeConflict) as caught:
        await memory.commit(late, late.writes, "op-2")
    assert caught.value.paths == ("memory/tea.md",)
    assert (await memory.read(REPO, "tea")).body == "Oolong.\n"


async def test_context_is_bounded(memory: Memory, forge: EmbeddedForge) -> None:
    await CommitService(forge, GitSettings()).commit(
        REPO,
        actor=GROW,
        kind="write",
        scope="test",
        what="many",
        changes=[Change("profile.md", b"I am Ada. " * 1000)]
        + [Change(f"memory/{n}-{'x' * 60}.md", b"x") for n in range(200)],
        operation="many",
    )
    context = (await memory.context(REPO)).text
    assert "I am Ada." in context
    assert "memory/0-" in context
    assert len(context) <= CONTEXT_CHARS


async def test_history_of_one_file(memory: Memory) -> None:
    await remember(memory, "tea", "Green.")
    await remember(memory, "coffee", "Never.")
    await remember(memory, "tea", "Black.", operation="op-2")
    assert len(await memory.history(REPO)) == 4
    of_tea = await memory.history(REPO, "memory/tea.md")
    assert len(of_tea) == 2
    rest = await memory.history(REPO, "memory/tea.md", after=of_tea[0].sha)
    assert rest == of_tea[1:]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("city", "cities"),
        ("movie", "movies"),
        ("box", "boxes"),
        ("house", "houses"),
        ("walrus", "Walruses"),
        ("class", "classes"),
        ("time", "times"),
    ],
)
def test_a_word_and_its_plural_are_one_word(one: str, many: str) -> None:
    assert words(one) == words(many)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("tea", "memory/tea.md"),
        ("/green tea.md", "memory/green-tea.md"),
        ("work/plan", "memory/work/plan.md"),
        ("goals/x", "goals/x.md"),
        ("goals", "memory/goals.md"),
        ("profile", "profile.md"),
        ("./decisions/db.md", "decisions/db.md"),
        ("notes.v2", "memory/notes.v2.md"),
    ],
)
async def test_names_become_paths(name: str, path: str) -> None:
    assert normalise(name) == path


@pytest.mark.parametrize("name", ["", " / ", "../x", "memory/../../x", "a/.git/x", "a\\b", "a\0b"])
async def test_bad_names_are_refused(memory: Memory, name: str) -> None:
    with pytest.raises(PathInvalid):
        await remember(memory, name, "x", operation="op")


async def test_limits_and_capabilities_hold(memory: Memory) -> None:
    with pytest.raises(MemoryTooLarge):
        await remember(memory, "tea", "x" * 100_001)
    stranger = Author("act_2", "Coder", frozenset({"git.commit:agents/coding/**"}))
    with pytest.raises(PathForbidden):
        await remember(memory, "tea", "x", author=stranger)


async def test_a_past_day_is_searched_as_it_was(memory: Memory, forge: EmbeddedForge) -> None:
    await remember(memory, "tea", "Likes green tea.")
    before = (await remember(memory, "cats", "Two cats.")).at
    with pytest.raises(TooEarly):
        await memory.search(REPO, "tea", at=moment("1999-12-31"))
    later = before + timedelta(seconds=2)
    await commit_later(forge, "memory/tea.md", b"Likes black coffee now.", later)
    assert [hit.path for hit in await memory.search(REPO, "tea green")] == ["memory/tea.md"]
    assert "coffee" in (await memory.search(REPO, "tea"))[0].snippet, "the path still says tea"
    (then,) = await memory.search(REPO, "green", at=before)
    assert then.snippet == "Likes green tea."
    assert await memory.search(REPO, "coffee", at=before) == []
    assert (await memory.read(REPO, "tea", at=before)).body == "Likes green tea.\n"
    assert await memory.search(REPO, "coffee", at=later)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", "2026-01-31T23:59:59.999999+00:00"),
        ("2026-01-31T12:00", "2026-01-31T12:00:00+00:00"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T12:00:00+02:00"),
    ],
)
def test_a_date_means_its_end(text: str, meant: str) -> None:
    assert moment(text) == datetime.fromisoformat(meant)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "31.1.2026", "9" * 30])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(MomentInvalid):
        moment(text)


async def test_what_is_forgotten_is_gone_now_and_still_in_history(memory: Memory) -> None:
    assert (await memory.remains(REPO, "tea")).versions == 0
    await remember(memory, "tea", "Green.")
    kept = await remember(memory, "tea", "Black.", operation="op-2")
    await forget(memory, "tea", "op-3")
    assert await memory.search(REPO, "black") == []
    left = await memory.remains(REPO, "tea")
    assert (left.path, left.versions, left.last) == ("memory/tea.md", 2, kept.sha)


async def test_the_index_outlives_the_process_and_any_damage(
    forge: EmbeddedForge, tmp_path: Path
) -> None:
    await forge.create(REPO)
    cache = tmp_path / "cache"
    first = Memory(forge, CommitService(forge, GitSettings()), cache)
    await remember(first, "tea", "Green tea.")
    assert await first.search(REPO, "green")
    await remember(first, "cats", "Two cats.")
    second = Memory(forge, CommitService(forge, GitSettings()), cache)
    assert [hit.path for hit in await second.search(REPO, "cats tea")] == [
        "memory/cats.md",
        "memory/tea.md",
    ]
    (file,) = cache.glob("*.sqlite")
    for other in cache.glob("*.sqlite-*"):
        other.unlink()
    file.write_bytes(b"not a database at all" * 100)
    third = Memory(forge, CommitService(forge, GitSettings()), cache)
    assert [hit.path for hit in await third.search(REPO, "green")] == ["memory/tea.md"]


async def test_of_a_removed_repository_nothing_is_left_to_read(
    forge: EmbeddedForge, tmp_path: Path
) -> None:
    await forge.create(REPO)
    memory = Memory(forge, CommitService(forge, GitSettings()), tmp_path / "cache")
    await remember(memory, "tea", "Green tea, a secret.")
    first = (await forge.commits(REPO))[-1]
    assert await memory.search(REPO, "tea")
    assert await memory.files(REPO, first.at)
    assert list((tmp_path / "cache").iterdir())
    await forge.delete(REPO)
    await memory.erase(REPO)
    await memory.erase(REPO)
    assert list((tmp_path / "cache").iterdir()) == []
    await forge.create(REPO)
    assert await memory.search(REPO, "tea") == []


async def test_queries_are_words_and_never_commands(memory: Memory) -> None:
    await remember(memory, "tea", 'Says "hello" AND more; NEAR(x) title:tea don\'t*')
    for query in ('"', "AND", "title:", "NEAR(", "*", "a OR", "tea' --", "𝔗ea", "\0", " "):
        await memory.search(REPO, query)
    assert await memory.search(REPO, 'NOT "hello')


async def test_many_memories_leave_the_newest_in_the_context(memory: Memory) -> None:
    changes = [
        Change(
            f"memory/{n:04}.md",
            f"---\nupdated: 2026-01-01T00:{n // 60:02}:{n % 60:02}\n---\nx".encode(),
        )
        for n in range(400)
    ]
    await memory._commits.commit(
        REPO, actor=GROW, kind="x", scope="y", what="z", changes=changes, operation="many"
    )
    context = (await memory.context(REPO)).text
    assert "memory/0399.md" in context
    assert "memory/0000.md" not in context
    assert len(context) <= CONTEXT_CHARS
    assert "more: recall finds them" in context


async def test_what_came_with_a_snapshot_can_be_undone(
    memory: Memory, forge: EmbeddedForge
) -> None:
    async def both(name: str, state: str) -> CommitInfo:
        files = [Change(f"memory/{name}.md", b"x"), Change(SNAPSHOT, state.encode())]
        return await memory._commits.commit(
            REPO, actor=GROW, kind="x", scope="y", what="z", changes=files, operation=name
        )

    made = await both("tea", "1")
    await both("cats", "2")
    undone = await memory.revert(REPO, GROW, made.sha, "undo")
    assert undone.paths == ("memory/tea.md",)
    assert await forge.blob(REPO, SNAPSHOT) == b"2"
    assert await memory.search(REPO, "cats")


async def commit_later(forge: EmbeddedForge, path: str, content: bytes, at: datetime) -> None:
    """Commit behind the forge's back, with a time of the test's own."""
    git = pygit2.Repository(str(forge.path(REPO.id)))
    head = git.references["refs/heads/main"].peel(pygit2.Commit)
    tree = build_tree(git, head.tree, [Change(path, content)]).tree_id
    who = pygit2.Signature("Ada", "ada@example.com", int(at.timestamp()), 0)
    git.create_commit("refs/heads/main", who, who, "change", tree, [head.id])
