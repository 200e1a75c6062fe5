"""What the documentation shows has to be true."""

import re
from pathlib import Path

import pytest

from growqr.agents.quests import load_quests, parse_quest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_example_quest_loads() -> None:
    page = (ROOT / "docs/quests.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert parse_quest(example, source="docs/quests.md").key == "reading-list"


def test_the_page_on_quests_names_every_built_in_one() -> None:
    page = (ROOT / "docs/quests.md").read_text()
    assert all(f"`{key}`" in page for key in load_quests())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [to for to in links if "://" not in to and not (page.parent / to).exists()]
    assert missing == []
