"""Parameters written into a statement mean what bound ones do."""

import math
import sqlite3
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyrivet._transaction import BEGIN, LOST, commit, inline
from pyrivet.errors import DatabaseError

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)
DATABASE = sqlite3.connect(":memory:", isolation_level=None)


def answer(script: str) -> Any:
    """Run the statements of a script and return the row of the last one."""
    *before, last = script.split("; ", 2)
    for statement in before:
        DATABASE.execute(statement)
    return DATABASE.execute(last).fetchone()


@given(VALUES, VALUES)
@example(-(2**63), math.inf)
@example(5e-324, 1.7976931348623157e308)
@example("'; DROP TABLE item; --\x00?", b"?")
def test_values_arrive_as_they_are(first: Any, second: Any) -> None:
    sql = "SELECT ?, '?''?' AS \"?\", /* ? ; */ typeof(?), ? -- ? ;"
    answer(BEGIN)
    try:
        inlined = answer(inline(sql, [first, second, second]))
    finally:
        DATABASE.execute("ROLLBACK")
    assert inlined == DATABASE.execute(sql, [first, second, second]).fetchone()


@pytest.mark.parametrize(
    ("sql", "params", "problem"),
    [
        ("SELECT ?", [], "fewer"),
        ("SELECT 1", [1], "more"),
        ("SELECT ?1", [1], "plain"),
        ("SELECT 1; SELECT 2", [], "one statement"),
        (" commit", [], "begins and ends"),
    ],
)
def test_what_does_not_fit_is_refused(sql: str, params: list[Any], problem: str) -> None:
    with pytest.raises(DatabaseError, match=problem):
        inline(sql, params)


def test_statement_and_commit_pass_inside_the_transaction_only() -> None:
    for script in (inline("SELECT 1", []), commit(7)):
        with pytest.raises(sqlite3.OperationalError, match=LOST):
            answer(script)
    answer(BEGIN)
    assert answer(inline("SELECT 1", [])) == (1,)
    answer(commit(7))
    assert DATABASE.execute("PRAGMA application_id").fetchone() == (7,)
    assert not DATABASE.in_transaction
