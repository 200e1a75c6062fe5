import stat
from pathlib import Path

from growqr.secret_files import own_secret


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = own_secret(folder, "internal-token")
    assert own_secret(folder, "internal-token") == first
    assert own_secret(folder, "other") != first
    assert len(first) >= 43
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "internal-token").stat().st_mode) == 0o600
    assert {path.name for path in folder.iterdir()} == {"internal-token", "other"}
