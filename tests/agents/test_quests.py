"""Quests as data: templates, the schema's refusals, and the quests that come with GrowQR."""

import ast
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from growqr.agents.quest import due_of, menu, wanted_quest
from growqr.agents.quest_runs import Run, progress_file, view
from growqr.agents.quests import QuestInvalid, load_quests, parse_quest
from growqr.agents.quests.template import TemplateInvalid, names_in, render, slug
from growqr.git.capabilities import check_may_write
from growqr.git.paths import is_valid_path

QUEST = """
key: tea
title: Tea
description: Choose a tea.
steps:
  - {title: Which, ask: "Which tea, {user}?", name: tea}
  - title: Note
    write: {path: "memory/{tea:slug}.md", content: "I like {tea}"}
"""


def test_a_template_takes_names_and_filters() -> None:
    text = "{tea:slug} {tea:json} {{x}} {tea:quote}"
    assert render(text, {"tea": 'A "b"\nc'}) == 'a-b-c "A \\"b\\"\\nc" {x} > A "b"\n> c'
    assert names_in(text) == {"tea"}


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:nope}", "{A}"]
)
def test_a_template_understands_nothing_else(template: str) -> None:
    with pytest.raises(TemplateInvalid):
        names_in(template)


@given(st.text())
def test_a_slug_is_always_a_safe_file_name(text: str) -> None:
    assert is_valid_path(f"memory/{slug(text)}.md")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("{user}", "{nobody}", "no earlier step gives a value for nobody"),
        ("memory/{tea:slug}", "memory/{tea}", "is not safe"),
        ("memory/", "../", "is not safe"),
        ("name: tea", "name: user", "is taken"),
        (", name: tea", "", "needs a `name`"),
        ("title: Note", "title: Note\n    say: Hello", "exactly one of"),
        ("key: tea", "key: Tea!", "key"),
        ("key: tea", "key: tea\nextra: 1", "extra"),
        ("steps:", "steps: [", "while parsing"),
    ],
)
def test_a_broken_quest_is_refused_when_loaded(old: str, new: str, why: str) -> None:
    assert parse_quest(QUEST, source="tea.yaml").key == "tea"
    with pytest.raises(QuestInvalid, match=re.escape(why)):
        parse_quest(QUEST.replace(old, new, 1), source="tea.yaml")


@pytest.mark.parametrize("key", ["profile", "first-cli-tool", "weekly-review"])
def test_built_in_quests_write_only_where_the_quest_agent_may(key: str) -> None:
    quest = load_quests()[key]
    values = {"user": "Ada", "date": "2026-01-01", "run_id": "run_1"}
    values |= {step.name: "x: 'y'\n\"z\"" for step in quest.steps if step.name}
    for step in quest.steps:
        if step.write is not None:
            path = render(step.write.path, values)
            check_may_write("quest", ["git.commit:memory/**", "git.commit:profile.md"], [path])
            front = render(step.write.content, values).split("---\n")[1]
            assert isinstance(yaml.safe_load(front), dict)


@given(st.text(min_size=1))
def test_no_answer_breaks_the_program_of_the_first_tool(answer: str) -> None:
    wish = load_quests()["first-cli-tool"].steps[2].delegate
    assert wish is not None
    values = {"user": "Ada", "date": "", "run_id": "", "tool": answer, "purpose": answer}
    prompt = render(wish.prompt, values)
    blocks = re.findall(r"^```python (\S+)\n(.*?)^```$", prompt, re.DOTALL | re.MULTILINE)
    assert [path.rsplit("/")[1] for path, _ in blocks] == ["cli.py", "test_cli.py"]
    for _, program in blocks:
        ast.parse(program)


@pytest.mark.parametrize(
    "text",
    ["weekly-review", "Start the weekly review quest", "please run weekly review", "Weekly review"],
)
def test_a_message_names_a_quest(text: str) -> None:
    found = wanted_quest(text, load_quests())
    assert found is not None
    assert found.key == "weekly-review"


@pytest.mark.parametrize("text", ["hello", "start", "what is a weekly review?", "start a fire"])
def test_other_messages_name_none(text: str) -> None:
    assert wanted_quest(text, load_quests()) is None
    assert "`weekly-review`" in menu(load_quests())


def test_a_due_day_is_kept_as_said() -> None:
    assert due_of("end of summer.") == "end of summer"
    assert due_of("There is no hurry") is None
    assert due_of("none") is None


def test_a_run_shows_what_is_done() -> None:
    run = Run("run_1", "tsk_1", parse_quest(QUEST, source="tea.yaml"), "2026-01-01", step=1)
    shown = view(run, "waiting", "Which?")
    assert [step["status"] for step in shown["steps"]] == ["completed", "waiting"]
    file = progress_file(run, "running", {"tea": "Sencha\n# not a heading"}, None)
    assert file.path == "quests/tea/run_1.md"
    text = (file.content or b"").decode()
    assert "- [x] Which\n- [ ] Note\n" in text
    assert "> # not a heading" in text
