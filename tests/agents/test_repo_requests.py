"""What the repo agent understands without a model."""

import pytest

from growqr.agents.repo_requests import (
    CreateBranch,
    CreateProject,
    OpenPullRequest,
    Request,
    Show,
    parse_request,
    parse_requests,
)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("create a project garden: plan my beds", CreateProject("garden", "plan my beds")),
        ("- Please create a new repository named tea-log.", CreateProject("tea-log")),
        ("create a project garden to plan my beds", CreateProject("garden", "plan my beds")),
        ("create branch fix/typo in garden", CreateBranch("fix/typo", "garden")),
        ("make a branch x in the garden repo from dev", CreateBranch("x", "garden", "dev")),
        ("create branch `x`", CreateBranch("x")),
        (
            "open a pull request from task/abc in garden: Add beds",
            OpenPullRequest("task/abc", "Add beds", "garden"),
        ),
        ("Open a PR from dev", OpenPullRequest("dev", "Merge dev")),
        ("status", Show("repos")),
        ("list my projects", Show("repos")),
        ("show branches of garden", Show("branches", "garden")),
        ("list recent commits in garden on branch dev", Show("commits", "garden", "dev")),
        ("list pull requests", Show("pull requests")),
    ],
)
def test_a_request_is_understood(line: str, request_: Request) -> None:
    assert parse_request(line) == request_


@pytest.mark.parametrize("line", ["", "dance", "create", "delete project garden", "a " * 5_000])
def test_anything_else_is_not(line: str) -> None:
    assert parse_request(line) is None


def test_a_prompt_holds_one_request_a_line() -> None:
    requests, unknown = parse_requests("create a project a\n\n2. list repos\nand then sing")
    assert requests == [CreateProject("a"), Show("repos")]
    assert unknown == ["and then sing"]
