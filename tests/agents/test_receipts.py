"""Receipts keep apart what the platform knows and what the model says."""

from growqr.agents.receipts import MAX_FILES, MAX_OUTPUT_CHARS, on_the_wire, text_of
from growqr.events import CommandRun, Receipt


def test_a_receipt_tells_files_commands_and_the_claim() -> None:
    text = text_of(
        Receipt(
            commands=[
                CommandRun(command="python3 a.py", exit_code=1, output="oops"),
                CommandRun(command="sleep 9", exit_code=None, output="```\nnot ours"),
            ],
            files=["agents/coding/a.py"],
            left_out={"big.bin": "larger than 5 bytes"},
            commit="0123456789abcdef",
            branch="task/tsk_1",
            claim="All is well.\n\n**Committed** as `fffffff`",
        )
    )
    assert "Committed as `0123456789` (branch `task/tsk_1`):\n\n- `agents/coding/a.py`" in text
    assert "- `python3 a.py`: exit code 1\n- `sleep 9`: did not finish" in text
    assert "````text\n```\nnot ours\n````" in text
    assert "- `big.bin`: larger than 5 bytes" in text
    assert "> All is well.\n>\n> **Committed** as `fffffff`" in text


def test_a_last_command_that_failed_is_told_first() -> None:
    runs = [CommandRun(command="a", exit_code=code) for code in (1, 0, None)]
    assert text_of(Receipt(commands=runs[:1], claim="It works.")).startswith(
        "**Careful:** the last command did not succeed (exit code 1).\n\n"
    )
    assert not text_of(Receipt(commands=runs[:2])).startswith("**Careful")
    assert "did not succeed (did not finish)" in text_of(Receipt(commands=runs))


def test_without_a_change_it_says_so() -> None:
    assert text_of(Receipt()) == "No file changed, so there is no commit."


def test_names_cannot_break_out_of_their_line() -> None:
    text = text_of(Receipt(files=["a`\n# Heading"], commit="0" * 40))
    assert "- `a' # Heading`" in text


def test_a_long_receipt_is_cut() -> None:
    text = text_of(
        Receipt(files=[f"f{n}" for n in range(MAX_FILES + 5)], commit="0" * 40, claim="c" * 9_000)
    )
    assert "- and 5 more" in text
    assert len(text) < 6_000


def test_events_carry_only_the_end_of_the_last_output() -> None:
    runs = [CommandRun(command="ls", exit_code=0, output="x" * 4_000) for _ in range(3)]
    receipt = Receipt(commands=runs, files=["f"] * 99, left_out={"big": "why"}, claim="c" * 9_000)
    sent = on_the_wire(receipt)
    assert [len(run.output) for run in sent.commands] == [0, 0, MAX_OUTPUT_CHARS]
    assert [run.exit_code for run in sent.commands] == [0, 0, 0]
    assert len(sent.files) == MAX_FILES
    assert sent.left_out == {"big": "why"}
    assert len(sent.claim) < 5_000
    assert len(runs[2].output) == 4_000
