import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from growqr.errors import InvalidInput
from growqr.git.paths import PathInvalid, check_path, is_valid_path
from growqr.git.refs import check_branch, check_ref


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b.md",
        "über/naïve ☕.md",
        ".gitignore",
        ".github/x",
        "a.git",
        "gitmodules",
        "...",
        "a ",
    ],
)
def test_plain_paths_pass(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a/",
        "a//b",
        "..",
        "a/../b",
        "./a",
        "a/./b",
        "a\\b",
        "C:\\x",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "\x85",
        ".git",
        ".GIT/config",
        "a/.Git/hooks/post-update",
        ".git ",
        ".git...",
        ".git::$INDEX_ALLOCATION/config",
        "git~1/config",
        "GIT~1",
        ".g\u200cit/config",
        "\ufeff.git",
        ".\u202egit",
        ".gitmodules",
        ".GITMODULES",
        "x" * 256,
        "/".join(["a"] * 33),
        "é" * 600,
        "\ud800",
    ],
)
def test_what_no_repository_may_hold_is_refused(path: str) -> None:
    with pytest.raises(PathInvalid) as caught:
        check_path(path)
    assert caught.value.detail.isascii()
    assert "\n" not in caught.value.detail


@given(st.text())
@example("a/\u2024\u2024/b")
def test_an_accepted_path_stays_inside_and_keeps_its_names(path: str) -> None:
    if not is_valid_path(path):
        return
    names = path.split("/")
    assert not {"", ".", ".."} & set(names)
    assert not any(unicodedata.category(char) == "Cc" for char in path)
    assert not any(name.casefold().rstrip(". ") == ".git" for name in names)
    assert path.encode().decode() == path


@given(st.lists(st.sampled_from(["..", ".", "a", ".git", ".GiT", "git~1"]), min_size=1))
def test_only_plain_names_pass(names: list[str]) -> None:
    plain = set(names) == {"a"} and len(names) <= 32
    assert is_valid_path("/".join(names)) == plain


@pytest.mark.parametrize("name", ["main", "task/tsk_01", "über", "a.b", "v1"])
def test_branch_names_of_git_pass(name: str) -> None:
    assert check_branch(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-x",
        "--upload-pack=x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "x.lock",
        "a/",
        "/a",
        "a//b",
        ".a",
        "HEAD",
        "@",
        "refs/heads/x",
        "a\0b",
        "a\nb",
        "a" * 201,
        "\ud800",
        "0" * 40,
        "A" * 40,
        "x@{1}",
    ],
)
def test_other_branch_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_branch(name)


def test_a_ref_may_also_be_a_full_sha() -> None:
    assert check_ref("0" * 40) == "0" * 40
    with pytest.raises(InvalidInput):
        check_ref("main~1")
