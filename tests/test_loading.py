"""What a process loads when it starts: an idle one is to stay small."""

import subprocess
import sys

MODELS = {"anthropic", "google", "openai", "pydantic_ai"}
WHERE_CHOSEN = {"clerk_backend_api", "stripe", "svix"}
WHERE_MISSING = {"alembic"}


def test_nothing_is_loaded_that_only_some_processes_need() -> None:
    loaded = _loaded_by("import growqr.cli, growqr.app")
    assert "fastapi" in loaded
    assert loaded & (MODELS | WHERE_CHOSEN | WHERE_MISSING) == set()


def test_the_offline_model_needs_no_provider() -> None:
    loaded = _loaded_by("from growqr.models.provider import *; build_model(ModelSettings())")
    assert loaded & MODELS == {"pydantic_ai"}


def _loaded_by(program: str) -> set[str]:
    program += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())
