"""Signed commits, checked by us and by Git itself."""

from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from growqr.git.commits import CommitService
from growqr.git.embedded import EmbeddedForge
from growqr.git.forge import Author, Change, CommitInfo
from growqr.git.signing import SignatureBroken, Signer, public_text, signature, signer_of
from growqr.git.verifying import verify_repository
from growqr.settings import GitSettings
from tests.git.samples import ANYONE, REPO, git

pytestmark = pytest.mark.anyio

GROW = Author("act_1", "Grow", frozenset({"git.commit:**"}))


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "secrets")


@pytest.fixture
def forge(tmp_path: Path, signer: Signer) -> Iterator[EmbeddedForge]:
    forge = EmbeddedForge(tmp_path / "git", GitSettings())
    forge.sign = signer.sign
    yield forge
    forge.close()


async def write(forge: EmbeddedForge, name: str, actor: Author = GROW) -> CommitInfo:
    return await CommitService(forge, GitSettings()).commit(
        REPO,
        actor=actor,
        kind="remember",
        scope="memory",
        what=name,
        changes=[Change(f"memory/{name}.md", name.encode())],
        operation=name,
    )


def append(forge: EmbeddedForge, author: str, message: str) -> str:
    """Put a commit on the branch behind the platform's back."""
    repo = pygit2.Repository(str(forge.path(REPO.id)))
    who = pygit2.Signature("Somebody", author)
    head = repo.references["refs/heads/main"].peel(pygit2.Commit)
    tree = head.tree_id
    return str(repo.create_commit("refs/heads/main", who, who, message, tree, [head.id]))


async def test_git_accepts_what_agents_and_the_platform_signed(
    forge: EmbeddedForge, signer: Signer, tmp_path: Path
) -> None:
    await forge.create(REPO)
    made = [await write(forge, "tea"), await write(forge, "cats", ANYONE)]
    undone = await CommitService(forge, GitSettings()).revert(
        REPO, made[0].sha, actor=GROW, operation="undo"
    )
    allowed = tmp_path / "allowed_signers"
    allowed.write_text("".join(f"{known.allowed_signers_line()}\n" for known in signer.known()))
    commits = await forge.commits(REPO)
    assert [commit.sha for commit in commits[:3]] == [undone.sha, made[1].sha, made[0].sha]
    for commit in commits:
        said = await git(
            "-c",
            f"gpg.ssh.allowedSignersFile={allowed}",
            "verify-commit",
            commit.sha,
            cwd=forge.path(REPO.id),
        )
        assert f'Good "git" signature for {commit.author_email}' in said
    await git("fsck", "--strict", cwd=forge.path(REPO.id))
    report = verify_repository(forge.path(REPO.id), signer.known())
    assert report.good
    assert report.counts == {"signed": 4}


async def test_a_commit_that_lies_about_its_author_is_found(
    forge: EmbeddedForge, signer: Signer, tmp_path: Path
) -> None:
    await forge.create(REPO)
    await write(forge, "tea")
    slipped_in = append(forge, "ada@example.com", "my own words")
    claims = append(forge, "ada@example.com", "remember(memory): x\n\nActor: act_1\n")
    wears = append(forge, "act_1@growqr.invalid", "remember(memory): y")
    report = verify_repository(forge.path(REPO.id), signer.known())
    assert report.counts == {"signed": 2, "unvouched": 1, "unsigned": 2}
    found = {finding.sha: finding.named for finding in report.findings}
    assert found == {slipped_in: "ada@example.com", claims: "act_1", wears: "act_1"}

    # Another actor's valid signature does not help.
    forge.sign = lambda _, payload: signer.sign("act_2", payload)
    await write(forge, "other")
    # Nor does a key of one's own, once the actor has one.
    forge.sign = lambda _, payload: signature(Ed25519PrivateKey.generate(), payload)
    await write(forge, "own")
    # Nor a good signature of something else.
    forge.sign = lambda author, payload: signer.sign(author, payload + b" ")
    await write(forge, "moved")
    report = verify_repository(forge.path(REPO.id), signer.known())
    assert report.counts["forged"] == 3
    assert not report.good


async def test_an_actor_of_another_user_is_foreign_and_a_lost_key_unknown(
    forge: EmbeddedForge, signer: Signer, tmp_path: Path
) -> None:
    await forge.create(REPO)
    await write(forge, "tea")
    path = forge.path(REPO.id)
    assert verify_repository(path, signer.known(), ours={"act_1"}).good
    foreign = verify_repository(path, signer.known(), ours={"act_9"})
    assert foreign.counts == {"signed": 1, "foreign": 1}
    assert verify_repository(path, []).counts == {"unknown_key": 2}

    elsewhere = Signer(tmp_path / "elsewhere")
    elsewhere.add_known(list(signer.known()))
    elsewhere.add_known(list(signer.known()))
    assert verify_repository(path, elsewhere.known()).good
    assert len(list(elsewhere.known())) == 2


async def test_keys_are_private_and_stay(signer: Signer, tmp_path: Path) -> None:
    first = signer.sign("act_1", b"x")
    assert first is not None
    assert signer_of(first.encode(), b"x") == next(signer.known()).public_key
    assert Signer(tmp_path / "secrets").sign("act_1", b"x") == first
    (file,) = (tmp_path / "secrets" / "signing").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert signer.sign("../act_1", b"x") is None


@pytest.mark.parametrize(
    "armored",
    [
        b"",
        b"-----BEGIN PGP SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\n\xff\xff\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
    ],
)
def test_what_is_no_signature_is_refused(armored: bytes) -> None:
    with pytest.raises(SignatureBroken):
        signer_of(armored, b"x")


def test_a_changed_signature_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    made = signature(key, b"x")
    assert signer_of(made.encode(), b"x") == public_text(key)
    with pytest.raises(SignatureBroken):
        signer_of(made.encode(), b"y")
