"""Receipts keep apart what the platform knows and what the model says."""

from growqr.agents.receipts import (
    MAX_FILES,
    MAX_OUTPUT_CHARS,
    failed_commands,
    on_the_wire,
    status_of,
    text_of,
)
from growqr.events import CommandRun, Receipt
from growqr.git.statuses import check_status


def test_a_receipt_tells_files_commands_and_the_claim() -> None:
    text = text_of(
        Receipt(
            commands=[
                CommandRun(command="python3 a.py", exit_code=1, output="oops"),
                CommandRun(command="rm a.py", exit_code=None, denied=True),
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
    assert "- `python3 a.py`: exit code 1\n- `rm a.py`: denied\n- `sleep 9`: did not finish" in text
    assert "````text\n```\nnot ours\n````" in text
    assert "- `big.bin`: larger than 5 bytes" in text
    assert "> All is well.\n>\n> **Committed** as `fffffff`" in text


def test_what_failed_and_was_not_repeated_with_success_is_told_first() -> None:
    def run(command: str, code: int | None = 0, *, denied: bool = False) -> CommandRun:
        return CommandRun(command=command, exit_code=code, denied=denied, output="x")

    runs = [run("make", 2), run("pytest", 1), run("make"), run("sleep", None), run("ls")]
    failed = failed_commands([*runs, run("rm", None, denied=True)])
    assert [(it.command, it.output) for it in failed] == [("pytest", ""), ("sleep", ""), ("rm", "")]
    assert text_of(Receipt(failed_commands=failed, claim="It works.")).startswith(
        "**Careful:** these commands ended without exit code 0: "
        "`rm` (denied), `sleep` (did not finish), `pytest` (exit code 1).\n\n"
    )
    many = failed_commands([run(name, 1) for name in "abcde"])
    assert "`e` (exit code 1), `d` (exit code 1), `c` (exit code 1), and 2 more." in text_of(
        Receipt(failed_commands=many)
    )
    assert failed_commands([run("make", 2), run("make")]) == []
    assert "Careful" not in text_of(Receipt(commands=[run("ls")]))


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


def test_a_commit_is_told_by_how_the_commands_ended_and_never_by_the_claim() -> None:
    def told(commands: list[CommandRun]) -> tuple[str, str]:
        failed = failed_commands(commands)
        receipt = Receipt(commands=commands, failed_commands=failed, claim="All tests pass.")
        status = status_of(receipt, "http://x.test/app/tasks/tsk_1")
        check_status(status)
        return status.state, status.description

    good, bad = (CommandRun(command="pytest", exit_code=code) for code in (0, 1))
    assert told([]) == ("success", "No command was run")
    assert told([bad, good]) == ("success", "2 command(s) ran; each ended with exit code 0 at last")
    assert told([good, bad]) == ("failure", "pytest: exit code 1")
    denied = CommandRun(command="rm -rf /\n\x1b[31m" + "x" * 400, exit_code=None, denied=True)
    state, description = told([bad, denied])
    assert state == "failure"
    assert description.startswith("2 commands ended without exit code 0; rm -rf / ?[31mxxx")
