"""What would be published: it installs and works outside this repository."""

import email
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pyrivet
import pytest

PACKAGE = Path(__file__).parents[1]
PROGRAM = """
import pyrivet
for name in pyrivet.__all__:
    getattr(pyrivet, name)
print(pyrivet.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PACKAGE, check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def test_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        fields = email.message_from_bytes(archive.read(metadata))
    assert "pyrivet/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert all(name.startswith("pyrivet") for name in names)
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Description-Content-Type"] == "text/markdown"
    assert "# pyrivet" in fields.get_payload()


def test_wheel_installs_and_imports_in_an_environment_of_its_own(
    wheel: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    python = str(tmp_path / "bin" / "python")
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([python, *install], check=True)
    # What it depends on is installed where the tests run.
    [site] = (tmp_path / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    program = [python, "-I", "-c", PROGRAM]
    printed = subprocess.run(program, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert Path(printed.stdout.strip()) == site / "pyrivet" / "__init__.py"


def test_every_exported_name_is_documented() -> None:
    assert sorted(pyrivet.__all__) == pyrivet.__all__
    for name in pyrivet.__all__:
        exported = getattr(pyrivet, name)
        assert exported.__doc__, name
        assert exported.__module__.startswith("pyrivet"), name
