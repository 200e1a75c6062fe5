"""The reference page is what its script writes, and leaves nothing out."""

import runpy
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def test_reference_is_up_to_date() -> None:
    written: str = runpy.run_path(str(PACKAGE / "reference.py"))["reference"]()
    page = (PACKAGE / "REFERENCE.md").read_text()
    assert page == written, "run `python reference.py > REFERENCE.md` in packages/pyrivet"
